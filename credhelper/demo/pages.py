"""What the demo says at each of its steps."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Page:
    """A heading and what is to be seen; `{lifetime}` is that of a token in seconds."""

    title: str
    text: str


# The first two share the picture with the config, which leaves two lines of 78 columns for the text.
PAGES = (
    Page(
        "Two profiles, as `aws configure sso` wrote them",
        "A stand-in on this machine plays AWS, in a temporary home folder: nothing of "
        "yours is touched. The second profile is of the old kind, never renewed.",
    ),
    Page(
        "credhelper enable --all",
        "The sso_* lines become comments; one new line lets every AWS program ask "
        "credhelper. The old profile gets a session, so that it renews itself too.",
    ),
    Page(
        "credhelper login corp, credhelper login client",
        "You log in once for each session. Here a script presses Approve on the stand-in's page; with AWS your "
        "browser opens.",
    ),
    Page(
        "Programs work, and nobody thinks of tokens",
        "Two boto3 programs ask AWS who they are, every second. Tokens live {lifetime} s here (an hour with AWS); "
        "credhelper renews each before it runs out. The programs never notice.",
    ),
    Page(
        "Both sessions reach their cap, as with AWS after some hours",
        "Nobody can renew them now. credhelper warns you, and what it has in memory still serves. You heed the "
        "warning for corp and forget the one for client: watch its calls.",
    ),
    Page(
        "A login mends it",
        "The failed calls named the command to run. You run it, and the program, which was not restarted, goes on "
        "with its next call.",
    ),
)
STEPS = len(PAGES)

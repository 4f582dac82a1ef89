"""Made-up config files for property tests: everything that real ones hold, in odd orders and with odd ends."""

from __future__ import annotations

from hypothesis import strategies as st

_LINES = [
    "[default]",
    "[profile default]",
    "[profile a]",
    '[profile "a"]',
    "[profile 'b c']",
    " [profile d]",
    "[profile ümläut]",
    "[profile broken",
    "[sso-session s]",
    "[services x]",
    "[DEFAULT]",
    "[]",
    "region = eu-west-1",
    "output: json",
    "s3 =",
    "  max_queue_size = 10",
    "    deeper",
    "\tsso_region = not here",
    "sso_session = s",
    "sso_account_id = 123456789012",
    "sso_account_id=000000000001 ; spare",
    "sso_role_name = Admin",
    "SSO_Role_Name: Röle with blanks",
    "sso_start_url = https://d-1.awsapps.com/start/#",
    "sso_start_url = https://d-1.awsapps.com/start",
    "sso_start_url = https://d-2.awsapps.com/start",
    "sso_region = eu-west-1",
    "  sso_region = eu-west-1",
    "  sso_account_id = 123456789012",
    "credential_process = /bin/mine --x",
    "credential_process =",
    "credential_process = /old/credhelper/credential-process s 1 r",
    "role_arn = arn:aws:iam::1:role/x",
    "aws_access_key_id = AK",
    "# a comment: with a colon",
    "  ; sso_region = commented",
    "",
    " \t ",
    "= nameless",
    "in valid = x",
    "junk",
    "\x00",
    "\u00a0sso_region = x",
]
_RAW = [line.encode() for line in _LINES] + [b"\xff = \xfe", b"sso_role_name = \xff", b"\xef\xbb\xbf"]
_ENDS = st.sampled_from([b"\n", b"\n", b"\n", b"\r\n", b"\r"])


@st.composite
def configs(draw: st.DrawFn) -> bytes:
    """Any mixture of lines, with or without a newline at the end."""
    lines = draw(st.lists(st.sampled_from(_RAW), max_size=30))
    return _joined(draw, lines)


@st.composite
def working_configs(draw: st.DrawFn) -> bytes:
    """A config that botocore accepts, with profiles that can be enabled."""
    lines: list[str] = []
    for name in draw(st.lists(st.sampled_from(["a", "b", "'c d'", "ö", "default"]), unique=True, min_size=1)):
        header = "[default]" if name == "default" else f"[profile {name}]"
        lines.append(draw(st.sampled_from(["", "  "])) * (not lines) + header)
        indent = draw(st.sampled_from(["", "  ", "\t"]))
        session = draw(
            st.sampled_from(
                [
                    ["sso_session = s"],
                    ["sso_start_url = https://d-1.awsapps.com/start/#", "sso_region = eu-west-1"],
                    ["sso_start_url: https://d-1.awsapps.com/start", "sso_region = us-east-1"],
                    ["sso_start_url = https://s.awsapps.com/start", "sso_region=eu-west-1"],
                ]
            )
        )
        keys = [*session, "sso_account_id = 123456789012", "sso_role_name = Admin"]
        extra = ["region = x", "s3 =\n{0}  a = b\n\n{0}  c = d", "# c: d", "", "output = text\n{0}   more", "x = # y"]
        keys += draw(st.lists(st.sampled_from(extra), unique=True))
        for key in draw(st.permutations(keys)):
            lines += (indent + key.format(indent)).split("\n")
    lines += ["[sso-session s]", "sso_start_url = https://s.awsapps.com/start/", "sso_region = eu-west-1"]
    return _joined(draw, [line.encode() for line in lines])


@st.composite
def messy_configs(draw: st.DrawFn) -> bytes:
    """A working config with a few lines of any kind put in, doubled or gone."""
    lines = draw(working_configs()).splitlines(keepends=True)
    for place in draw(st.lists(st.integers(0, len(lines)), max_size=6)):
        at = min(place, len(lines))
        what = draw(st.sampled_from(["insert", "insert", "double", "drop"]))
        if what == "insert":
            lines.insert(at, draw(st.sampled_from(_RAW)) + draw(_ENDS))
        elif what == "double":
            lines[at:at] = lines[max(0, at - 3) : at]
        else:
            del lines[at : at + 1]
    return b"".join(lines)


def _joined(draw: st.DrawFn, lines: list[bytes]) -> bytes:
    end = draw(_ENDS)
    mixed = draw(st.booleans())
    data = b"".join(line + (draw(_ENDS) if mixed else end) for line in lines)
    return data if draw(st.booleans()) else data.rstrip(b"\r\n")

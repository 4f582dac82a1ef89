"""The `credential_process` leaf: ask the daemon for role credentials and copy its bytes to stdout.

This file is on the hot path of every AWS call that a person makes, so it imports nothing of the package and no
pure-Python module, and it is copied, alone, to a place that survives upgrades (see `resources.py`). It owns two
rules that the rest of the package imports from here: where the daemon's socket is, and what a frame looks like.

A frame is a length (4 bytes, big-endian) and that many bytes. A request's bytes are fields separated by NUL: the
verb, then `name=value` fields in any order; unknown names are ignored, so that an older daemon and a newer
helper understand each other. A reply's bytes are one status byte and a payload: status 0 means that the payload
goes to stdout as it is, `WAIT` that another reply follows within the payload's number of seconds, `WORD` that
another follows and the payload says how it goes (of what the helper never asks), `OTHER_HOME` that this daemon serves
another home folder, any below 100 that it is a message for stderr, which begins with the program's name, and the exit
code. Whatever else a daemon of another version may say is shown to nobody.

What clients demand of a helper (an answer in under 5 s, nothing on stderr on success, stdin never read, no child
left holding stdout) is met here and nowhere else.
"""

import _socket
import posix
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

MAX_REQUEST = 65536
MAX_REPLY = 1 << 24
# How a message for people begins.
SAYS = b"credhelper: "
WAIT = 100
OTHER_HOME = 101
WORD = 102

# A few clients give up after a minute, but a person's patience and the portable contract end at 5 s.
DEADLINE = 4.7
# What a call spends on starting a daemon at most; the rest must do for serving it directly. A start takes a third of
# a second, but a machine on which hundreds of callers begin at once has no sooner time for it.
START_WITHIN = 2.8
# A daemon that ends takes those with it that were about to be heard, and again those who come before it is gone.
MOST_VANISHED = 4
# Of a call's time, what must be left when it gives up waiting for a start on a crowded machine.
LEFT_AT_LAST = 0.2
# And what a program of our own needs to serve in the daemon's place; with less than that, waiting is better.
SERVES_WITHIN = 1.5
# Seconds between two looks at the load: callers of whom each saw the same dip would make the next crowd.
DIP = 0.05
MAX_WAIT = 3600.0
# Of `errno`, which would be one more import: the same number on Linux and macOS.
EBADF = 9

# `sun_path` holds 108 bytes on Linux and 104 on macOS, with a closing NUL.
MAX_SOCKET_PATH = 103

EX_FAILURE = 1
EX_USAGE = 2
EX_BUG = 70
EX_INTERRUPTED = 130

# What a daemon may inherit. Whoever wakes it decides nothing about where tokens go: no AWS_*, no proxy, no
# PYTHON*, no loader variables.
DAEMON_ENVIRONMENT = (
    b"HOME", b"USER", b"LOGNAME", b"LANG", b"LC_ALL", b"LC_CTYPE", b"TZ",
    b"XDG_RUNTIME_DIR", b"DBUS_SESSION_BUS_ADDRESS", b"CREDHELPER_SOCKET",
)  # fmt: skip
DAEMON_PATH = b"/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"
# Absolute: a caller's PATH decides nothing.
SYSTEMCTL = (b"/usr/bin/systemctl", b"/bin/systemctl")
SERVICE_WITHIN = 1.0


class Absent(Exception):
    """Nobody listens at any address; a daemon may be started."""


class Broken(Exception):
    """Somebody or something is there but cannot be used or trusted; starting another would not help."""


class Vanished(Broken):
    """Whoever took the request has gone without an answer: killed, or restarted. Asking once more may help."""


class Foreign(Broken):
    """The daemon is older or newer than the program, and answered what is not understood."""

    def __init__(self) -> None:
        super().__init__("the daemon is of another version than the program. Run: credhelper daemon restart")


class Late(Broken):
    """The daemon took the request, and its answer has not come in time."""


def home_folder(environ: "Mapping[bytes, bytes]") -> bytes:
    """The home folder that decides which daemon is ours. Raises Broken where HOME is not set to a path."""
    home = environ.get(b"HOME", b"")
    if not home.startswith(b"/"):
        raise Broken("HOME is not set to an absolute path. Set it, then try again")
    return home.rstrip(b"/") or b"/"


def state_folder(home: bytes) -> bytes:
    """Where the daemon's lock and address lie.

    A fixed place under the home folder: an XDG variable would let a caller with another environment (cron,
    `su -`) miss the daemon that runs.
    """
    return home + b"/.local/state/credhelper"


def host_id() -> bytes:
    """An id of the running kernel, so that hosts that share a network home have a daemon each.

    The boot id is equal in all containers of one kernel, where the machine id and the host name differ. macOS shows
    none without asking sysctl, and its host name changes with the network, which would make a second daemon beside
    the first; so all Macs have one id. Two that share a network home then share the lock: the one without the
    daemon serves its callers directly.
    """
    if sys.platform == "darwin":
        return b"darwin"
    try:
        fd = posix.open("/proc/sys/kernel/random/boot_id", posix.O_RDONLY)
    except OSError:
        name = posix.uname().nodename
        return bytes(c for c in name.encode("utf-8", "surrogateescape") if c > 32 and c != 47) or b"host"
    try:
        return posix.read(fd, 64).strip()
    finally:
        posix.close(fd)


def address_record(home: bytes) -> bytes:
    """The file in which a running daemon writes its socket's path."""
    return state_folder(home) + b"/daemon-" + host_id() + b".address"


def default_address(environ: "Mapping[bytes, bytes]", uid: int) -> bytes:
    """The socket's path by rule: `$CREDHELPER_SOCKET`, the runtime folder, `/run/user/UID`, `/tmp`."""
    explicit = environ.get(b"CREDHELPER_SOCKET")
    if explicit:
        return explicit
    folders = [environ.get(b"XDG_RUNTIME_DIR", b""), b"/run/user/%d" % uid]
    for folder in folders:
        path = folder.rstrip(b"/") + b"/credhelper/agent.sock"
        if folder.startswith(b"/") and len(path) <= MAX_SOCKET_PATH and owned(folder, uid):
            return path
    return b"/tmp/credhelper-%d/agent.sock" % uid


def owned(path: bytes, uid: int) -> bool:
    """Whether `path` exists and belongs to `uid`."""
    try:
        return posix.stat(path).st_uid == uid
    except OSError:
        return False


def addresses(environ: "Mapping[bytes, bytes]", home: bytes, uid: int) -> "list[bytes]":
    """Where to look for the daemon, in order. A `CREDHELPER_SOCKET` is the only one looked at."""
    rule = default_address(environ, uid)
    if environ.get(b"CREDHELPER_SOCKET"):
        return [rule]
    try:
        fd = posix.open(address_record(home), posix.O_RDONLY | posix.O_NONBLOCK)  # a FIFO would block for ever
    except OSError:
        return [rule]
    try:
        recorded = posix.read(fd, 4096).strip()
    except OSError:  # a folder
        return [rule]
    finally:
        posix.close(fd)
    if not recorded.startswith(b"/") or recorded == rule:
        return [rule]
    return [recorded, rule]


def check_folder(address: bytes, uid: int) -> None:
    """Raise Broken unless the socket's folder is ours alone; raise Absent where there is none.

    `lstat`, because in /tmp another user may have planted a link. Only our own uid is trusted: a folder that
    others can write to could hold a socket that was put there to collect requests, and one that they can open can be
    locked by them.
    """
    folder = address.rpartition(b"/")[0] or b"/"
    try:
        status = posix.lstat(folder)
    except OSError as error:
        raise Absent from error
    if status.st_mode & 0o170000 != 0o040000 or status.st_uid != uid or status.st_mode & 0o077:
        name = folder.decode("utf-8", "replace")
        raise Broken(
            f"the folder {name} of the daemon's socket is not this user's alone. "
            f"Run `chmod 700 {name}` if it is yours, or set CREDHELPER_SOCKET to a path in another folder"
        )


def check_peer(sock: "_socket.socket", uid: int) -> None:
    """Raise Broken unless the process at the other end runs as `uid` (DESIGN: mutual checks)."""
    if sys.platform == "linux":
        raw = sock.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, 12)
        peer = int.from_bytes(raw[4:8], sys.byteorder)
    else:  # struct xucred of macOS and the BSDs: version, uid, …; SOL_LOCAL 0, LOCAL_PEERCRED 1
        raw = sock.getsockopt(0, 1, 76)
        peer = int.from_bytes(raw[4:8], sys.byteorder)
    if peer != uid:
        raise Broken(f"the socket is held by another user (uid {peer}). Run `credhelper daemon status`")


def connect(address: bytes, uid: int, deadline: float) -> "_socket.socket":
    """Connect to the daemon at `address`. Raises Absent, Broken.

    With a timeout set, a full backlog answers EAGAIN at once instead of waiting; so it is asked again.
    """
    check_folder(address, uid)
    if len(address) > MAX_SOCKET_PATH:
        raise Broken("the path of the daemon's socket is too long. Set CREDHELPER_SOCKET to a shorter one")
    pause = 0.002
    while True:
        sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        try:
            sock.settimeout(max(deadline - time.monotonic(), 0.001))
            sock.connect(address)
            check_peer(sock, uid)
        except (FileNotFoundError, ConnectionRefusedError) as error:
            sock.close()
            raise Absent from error
        except (BlockingIOError, InterruptedError) as error:
            sock.close()
            if time.monotonic() + pause > deadline:
                raise Broken("the daemon is too busy to answer. Try again") from error
            time.sleep(pause)
            pause = min(pause * 2, 0.05)
        except OSError as error:
            sock.close()
            raise Broken(f"the daemon cannot be reached: {error}. Run `credhelper daemon restart`") from error
        except Broken:
            sock.close()
            raise
        else:
            return sock


def encode_request(verb: bytes, fields: "Mapping[bytes, bytes]") -> bytes:
    """Render a request frame. Raises ValueError where a value holds a NUL or the whole is too long."""
    parts = [verb]
    for name, value in fields.items():
        if b"\0" in value:
            raise ValueError("a field of a request holds a NUL byte")
        parts.append(name + b"=" + value)
    body = b"\0".join(parts)
    if len(body) > MAX_REQUEST:
        raise ValueError("the request is too long")
    return len(body).to_bytes(4, "big") + body


def decode_request(body: bytes) -> "tuple[bytes, dict[bytes, bytes]]":
    """The reverse of `encode_request`, without the length. Never raises: any bytes are some request."""
    verb, *fields = body.split(b"\0")
    pairs = (field.partition(b"=") for field in fields)
    return verb, {name: value for name, mark, value in pairs if mark}


def encode_reply(status: int, payload: bytes) -> bytes:
    """Render a reply frame."""
    return (len(payload) + 1).to_bytes(4, "big") + bytes((status,)) + payload


def receive(sock: "_socket.socket", count: int, deadline: float) -> bytes:
    """Read exactly `count` bytes. Raises Late at the deadline, Vanished at the end of the stream."""
    late = Late("the daemon did not answer in time. Run `credhelper daemon restart`")
    got = b""
    while len(got) < count:
        left = deadline - time.monotonic()
        if left <= 0:
            raise late
        sock.settimeout(left)
        try:
            part = sock.recv(min(count - len(got), 1 << 20))
        except TimeoutError as error:
            raise late from error
        except OSError as error:
            raise Vanished(f"the daemon broke the connection: {error}. Try again") from error
        if not part:
            raise Vanished("the daemon closed the connection without an answer. Try again")
        got += part
    return got


def read_reply(sock: "_socket.socket", deadline: float) -> "tuple[int, bytes]":
    """Read one reply: its status and payload. Raises Broken."""
    size = int.from_bytes(receive(sock, 4, deadline), "big")
    if not 1 <= size <= MAX_REPLY:
        raise Broken("the daemon's answer makes no sense. Run `credhelper daemon restart`")
    body = receive(sock, size, deadline)
    return body[0], body[1:]


def check_failure(status: int, payload: bytes) -> None:
    """Raise Foreign unless this is a message for people and an exit code."""
    if status >= WAIT or not payload.startswith(SAYS):
        raise Foreign


def send(sock: "_socket.socket", request: bytes, deadline: float) -> None:
    """Send a request. Raises Broken."""
    try:
        sock.settimeout(max(deadline - time.monotonic(), 0.001))
        sock.sendall(request)
    except TimeoutError as error:
        raise Broken("the daemon did not take the request in time. Run `credhelper daemon restart`") from error
    except OSError as error:
        raise Vanished(f"the daemon broke the connection: {error}. Try again") from error


def exchange(
    sock: "_socket.socket", request: bytes, deadline: float, waiting: "Callable[[], None] | None" = None
) -> "tuple[int, bytes]":
    """Send a request and read its final reply, waiting longer where the daemon says that it is worth it.

    `waiting` is called whenever the daemon says so.
    """
    send(sock, request, deadline)
    while True:
        status, payload = read_reply(sock, deadline)
        if status != WAIT:
            return status, payload
        try:
            longer = float(payload)
        except ValueError:
            longer = -1.0
        if not longer >= 0:  # "nan" is a number to `float`, and a deadline that never comes
            raise Broken("the daemon's answer makes no sense. Run `credhelper daemon restart`")
        deadline = time.monotonic() + min(longer, MAX_WAIT)
        if waiting is not None:
            waiting()


def ask(where: "Sequence[bytes]", request: bytes, uid: int, deadline: float) -> "tuple[int, bytes]":
    """Ask the first daemon that is there. Raises Absent where none is, Broken where one cannot be used."""
    for address in where:
        try:
            sock = connect(address, uid, deadline)
        except Absent:
            continue
        try:
            status, payload = exchange(sock, request, deadline)
        finally:
            sock.close()
        if status != OTHER_HOME:
            return status, payload
    raise Absent


def make_folder(path: bytes) -> None:
    """`mkdir -p` with mode 0700 for what is new. Raises OSError."""
    try:
        posix.mkdir(path, 0o700)
    except FileExistsError:
        return
    except FileNotFoundError:
        make_folder(path.rpartition(b"/")[0])
        posix.mkdir(path, 0o700)


def check_home(home: bytes, uid: int) -> None:
    """Raise Broken where HOME is another user's (`sudo -E`): nothing may be started or written there."""
    try:
        owner = posix.stat(home).st_uid
    except OSError as error:
        name = home.decode("utf-8", "replace")
        raise Broken(f"the home folder {name} cannot be used: {error.strerror}. Set HOME") from error
    if owner != uid:
        raise Broken(
            f"HOME belongs to another user (uid {owner}, this is uid {uid}). Run without sudo, or with `sudo -H`"
        )


def daemon_environment(environ: "Mapping[bytes, bytes]") -> "dict[bytes, bytes]":
    """The allowlisted environment of a daemon that somebody's helper call wakes."""
    kept = {name: environ[name] for name in DAEMON_ENVIRONMENT if name in environ}
    kept[b"PATH"] = DAEMON_PATH
    return kept


def keep_nothing_but(fd: int) -> None:
    """In a forked child: leave the caller's folder, umask and descriptors behind; `fd` becomes 3, stdio /dev/null."""
    posix.chdir("/")
    posix.umask(0o077)
    # 9 first: were /dev/null to get that number, the next line would take it away again.
    posix.dup2(fd, 9)
    null = posix.open("/dev/null", posix.O_RDWR)
    for number in (0, 1, 2):
        posix.dup2(null, number)
        posix.set_inheritable(number, True)  # `dup2` of a number to itself, where a caller had closed it
    posix.dup2(9, 3)
    # One system call on Linux, one for each number elsewhere.
    most = 1 << 20 if sys.platform == "linux" else posix.sysconf("SC_OPEN_MAX")
    posix.closerange(4, most if 0 < most <= 1 << 20 else 1 << 16)


def wait_for(child: int) -> int:
    """Reap a child; its wait status, or 0 where the kernel did that itself (a caller ignores SIGCHLD)."""
    try:
        return posix.waitpid(child, 0)[1]
    except ChildProcessError:
        return 0


def service_manager(environ: "Mapping[bytes, bytes]", home: bytes, uid: int) -> bytes:
    """The runtime folder of the user's systemd where it answers and knows our service, else an empty string."""
    if environ.get(b"CREDHELPER_SOCKET"):
        return b""  # the service does not listen there
    units = home + b"/.config/systemd/user/credhelper."
    if not exists(units + b"service") and not exists(units + b"socket"):
        return b""
    for folder in (environ.get(b"XDG_RUNTIME_DIR", b""), b"/run/user/%d" % uid):
        if folder.startswith(b"/") and owned(folder, uid) and exists(folder + b"/systemd/private"):
            return folder
    return b""


def exists(path: bytes) -> bool:
    """Whether there is something at `path`."""
    try:
        posix.stat(path)
    except OSError:
        return False
    return True


def start_service(runtime: bytes, environ: "Mapping[bytes, bytes]", deadline: float) -> bool:
    """Have the service manager start the daemon; False where it refuses or does not answer in time."""
    program = next(filter(exists, SYSTEMCTL), None)
    if program is None:
        return False
    end_in, end_out = posix.pipe()  # comes to its end with the child
    child = posix.fork()
    if child == 0:
        try:
            keep_nothing_but(end_out)
            clean = {**daemon_environment(environ), b"XDG_RUNTIME_DIR": runtime}
            posix.execve(program, [program, b"--user", b"start", b"credhelper.service"], clean)
        finally:
            posix._exit(EX_FAILURE)
    posix.close(end_out)
    import select  # noqa: PLC0415 - only on the slow path; a C module

    left = min(deadline - time.monotonic(), SERVICE_WITHIN)
    ended = left > 0 and bool(select.select([end_in], [], [], left)[0])
    posix.close(end_in)
    if not ended:
        posix.kill(child, 9)
    return wait_for(child) == 0 and ended


def crowded() -> bool:
    """Whether many more threads want to run at this moment than the machine has processors for.

    Then a start takes its time, and a program of our own that serves us in its place would take longer. False where
    the kernel does not tell.
    """
    try:
        fd = posix.open("/proc/loadavg", posix.O_RDONLY)
    except OSError:
        return False
    try:
        running = int(posix.read(fd, 256).split()[3].partition(b"/")[0])
    except (OSError, ValueError, IndexError):
        return False
    finally:
        posix.close(fd)
    return running > 4 * (posix.cpu_count() or 1)


def calm() -> bool:
    """Whether the machine is not crowded, and not only for a moment."""
    if crowded():
        return False
    time.sleep(DIP)
    return not crowded()


def give_up(by: float, deadline: float) -> bool:
    """Whether to wait no longer for a daemon that is being started.

    After `by` on a calm machine, while there is time to serve the caller in its place; else at the end.
    """
    now = time.monotonic()
    if now <= by:
        return False
    return now > deadline - LEFT_AT_LAST or (now < deadline - SERVES_WITHIN - DIP and calm())


def spawn(command: "Sequence[str]", environ: "Mapping[bytes, bytes]", by: float, deadline: float) -> str:
    """Start the daemon in a session of its own and wait for its word until `by`, or longer where it is crowded.

    Returns an empty string when it is ready (or another one is), else why it could not start. It inherits
    nothing: stdio is /dev/null, every other descriptor is closed, the folder is `/`, the environment allowlisted.
    A child that kept our stdout would block the AWS client until it ended.
    """
    word_in, word_out = posix.pipe()
    child = posix.fork()
    if child == 0:
        told = word_out
        try:
            posix.setsid()
            if posix.fork() != 0:
                posix._exit(0)
            keep_nothing_but(word_out)
            told = 3
            posix.execve(command[0], [*command, "--ready-fd", "3"], daemon_environment(environ))
        except BaseException as error:  # noqa: BLE001 - a forked child must never return into the caller
            posix.write(told, f"it cannot be started: {error}".encode("utf-8", "replace"))
        finally:
            posix._exit(EX_FAILURE)
    posix.close(word_out)
    wait_for(child)
    import select  # noqa: PLC0415 - only on the slow path; a C module

    word = b""
    while True:
        if not select.select([word_in], [], [], max(by - time.monotonic(), 0.05))[0]:
            if not give_up(by, deadline):
                continue
            posix.close(word_in)
            return "it was not ready in time"
        part = posix.read(word_in, 4096)
        if not part:
            break
        word += part
    posix.close(word_in)
    if word in {b"ready\n", b"running\n"}:
        return ""
    return word.decode("utf-8", "replace").strip() or "it ended before it was ready"


def start(
    request: bytes,
    command: "Sequence[str]",
    environ: "Mapping[bytes, bytes]",
    uid: int,
    deadline: float,
    *,
    by: float,
    ready: "Callable[[], None]",
) -> "tuple[int, bytes]":
    """Start a daemon, by the service manager where one answers, and ask it.

    Raises Absent with the reason, Broken; Vanished where it has ended, or hung up, since it was ready.

    `ready` is called once others can ask it too.
    """
    home = home_folder(environ)
    runtime = service_manager(environ, home, uid)
    if runtime and start_service(runtime, environ, by):
        half = (time.monotonic() + by) / 2
        while time.monotonic() < half:
            try:
                return ask(addresses(environ, home, uid), request, uid, deadline)
            except Absent:
                time.sleep(0.02)
    failure = spawn(command, environ, by, deadline)
    if failure:
        raise Absent(failure)
    ready()
    return ask(addresses(environ, home, uid), request, uid, deadline)


def ask_or_start(
    request: bytes,
    command: "Sequence[str]",
    environ: "Mapping[bytes, bytes]",
    uid: int,
    deadline: float,
    *,
    start_within: float = MAX_WAIT,
) -> "tuple[int, bytes]":
    """Ask the daemon; where there is none, start one (or wait for whoever starts it) and ask again.

    Of many callers at once, the holder of a lock starts it and the others look again now and then, ever less often:
    where hundreds of callers begin, their looks would take the time that the daemon needs. After `start_within`
    seconds there is none to be had. Who asked one that then vanished asks again, and starts another where it has
    gone; a few times, then there is none.

    Raises Absent with the reason why there is none, and Broken.
    """
    home = home_folder(environ)
    by = min(deadline, time.monotonic() + start_within)
    try:
        return ask(addresses(environ, home, uid), request, uid, deadline)
    except (Absent, Vanished):
        check_home(home, uid)
    lock = open_start_lock(home)
    pause, looks, vanished = 0.01, 0, 0
    try:
        while True:
            mine, absent = try_lock(lock), False
            try:
                if mine or looks % 4 == 0:  # also where whoever has the lock hangs
                    try:
                        return ask(addresses(environ, home, uid), request, uid, deadline)
                    except Absent:
                        absent = True
                if give_up(by, deadline):
                    raise Absent("another process is still starting it")
                if mine and absent:
                    return start(request, command, environ, uid, deadline, by=by, ready=lambda: unlock(lock))
            except Vanished as error:
                vanished += 1
                if vanished == MOST_VANISHED:
                    raise Absent("it ends, or hangs up, whenever it is asked") from error
            except Late as error:
                raise Broken("the daemon was not ready soon enough to answer in time. Try again") from error
            time.sleep(pause)
            pause = min(pause * 1.5, 0.08)
            looks += 1
    finally:
        posix.close(lock)


def open_start_lock(home: bytes) -> int:
    """A descriptor of what the caller who starts a daemon locks: a file, or the home folder where none can be made.

    Raises Absent.
    """
    try:
        make_folder(state_folder(home))
        return posix.open(state_folder(home) + b"/start.lock", posix.O_RDWR | posix.O_CREAT | posix.O_CLOEXEC, 0o600)
    except OSError as error:
        try:
            return posix.open(home, posix.O_RDONLY | posix.O_CLOEXEC)
        except OSError:
            name = state_folder(home).decode("utf-8", "replace")
            raise Absent(f"its folder {name} cannot be used: {error.strerror}") from error


def try_lock(fd: int) -> bool:
    """Lock what `open_start_lock` gave if nobody else has. Raises Absent where its file system knows no locks."""
    try:
        try:
            posix.lockf(fd, posix.F_TLOCK, 0)
        except OSError as error:
            if error.errno != EBADF:
                raise
            import fcntl  # noqa: PLC0415 - only on the slow path; a C module

            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)  # what is only read knows no other
    except (BlockingIOError, PermissionError):
        return False
    except OSError as error:
        raise Absent(f"its state folder cannot be locked: {error.strerror}") from error
    return True


def unlock(fd: int) -> None:
    """Let go of what `try_lock` has locked, in whichever of the two ways. Closing it does so at the latest."""
    try:  # noqa: SIM105 - contextlib is a pure-Python module
        posix.lockf(fd, posix.F_ULOCK, 0)
    except OSError:
        pass
    if "fcntl" in sys.modules:
        sys.modules["fcntl"].flock(fd, 8)  # LOCK_UN


def caller_fields(environ: "Mapping[bytes, bytes]", home: bytes) -> "dict[bytes, bytes]":
    """What the daemon is told about who asks: for its log, and to find the right config file."""
    fields = {b"home": home, b"parent": b"%d" % posix.getppid()}
    for name, variable in ((b"profile", b"AWS_PROFILE"), (b"config", b"AWS_CONFIG_FILE")):
        value = environ.get(variable)
        if value:
            fields[name] = value[:4096]
    try:
        fields[b"folder"] = posix.getcwdb()[:4096]
    except OSError:  # a folder that was removed under its shell
        fields[b"folder"] = b""
    return fields


def write_all(fd: int, data: bytes) -> None:
    """Write all of `data`; a reader that went away is no error of ours."""
    try:
        while data:
            data = data[posix.write(fd, data) :]
    except BrokenPipeError:
        posix._exit(EX_FAILURE)


def complain(message: str) -> None:
    """One line on stderr. That nobody can hear it there (closed, a full disk) changes nothing."""
    try:  # noqa: SIM105 - contextlib is a pure-Python module
        write_all(2, f"credhelper: {message}\n".encode("utf-8", "replace"))
    except OSError:
        pass


def run(arguments: "Sequence[str]", command: "Sequence[str]") -> int:
    """Answer one call of the helper and return its exit code.

    Args:
        arguments: session, account id and role name, encoded as in the helper line.
        command: the daemon's command line; `… daemon run` also serves directly as `… serve`.
    """
    if len(arguments) != 3:
        complain("usage: credential-process SESSION ACCOUNT_ID ROLE_NAME. Run `credhelper enable` to write this line")
        return EX_USAGE
    environ = posix.environ
    deadline = time.monotonic() + DEADLINE
    try:
        home = home_folder(environ)
        fields = caller_fields(environ, home)
        for name, value in zip((b"session", b"account", b"role"), arguments, strict=True):
            fields[name] = value.encode("utf-8", "surrogateescape")
        # Of the monotonic clock, which all processes share: a daemon that had to be started first has less time.
        fields[b"until"] = b"%.3f" % deadline
        request = encode_request(b"credentials", fields)
        status, payload = ask_or_start(
            request, command, environ, posix.geteuid(), deadline, start_within=START_WITHIN
        )
        if status:
            check_failure(status, payload)
    except Absent:
        if time.monotonic() > deadline - SERVES_WITHIN:
            complain("the machine is too busy to start the daemon in time. Try again")
            return EX_FAILURE
        return serve_directly(arguments, command, environ, deadline)
    except (Broken, ValueError) as error:
        complain(str(error))
        return EX_FAILURE
    try:
        if status:
            write_all(2, payload if payload.endswith(b"\n") else payload + b"\n")
        else:
            write_all(1, payload)
    except OSError as error:  # a full disk, a descriptor that was closed
        complain(f"the output cannot be written: {error.strerror}")
        return status or EX_FAILURE
    return status


def serve_directly(
    arguments: "Sequence[str]", command: "Sequence[str]", environ: "Mapping[bytes, bytes]", deadline: float
) -> int:
    """Become a process that does the daemon's work once; slower, but the caller's work goes on."""
    clean = {name: value for name, value in environ.items() if not name.startswith(b"PYTHON")}
    # Of the monotonic clock, which all processes share; less what a large interpreter needs to come to its end.
    until = f"{deadline - 0.3:.3f}"
    argv = [*command[: command.index("daemon")], "credential-process", "--until", until, "--", *arguments]
    try:
        posix.execve(command[0], argv, clean)
    except OSError as error:
        complain(
            f"the installation has moved or is gone: {command[0]}: {error.strerror}. Run `credhelper enable` again"
        )
    return EX_FAILURE


def main(arguments: "Sequence[str]", command: "Sequence[str]") -> None:
    """Run and leave at once: the interpreter's own farewell would cost a tenth of the whole call."""
    try:
        code = run(arguments, command)
    except KeyboardInterrupt:
        code = EX_INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the last boundary; a traceback would land in an AWS client's message
        complain(f"a bug in the helper: {type(error).__name__}. Please report it")
        code = EX_BUG
    posix._exit(code)

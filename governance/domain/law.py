"""The law's closed lists, by their articles (Regulation (EU) 2016/679)."""

from enum import StrEnum


class LawfulBasis(StrEnum):
    """Article 6(1)(a) to (f)."""

    CONSENT = "consent"
    PERFORMANCE_OF_CONTRACT = "performance-of-contract"
    LEGAL_OBLIGATION = "legal-obligation"
    VITAL_INTERESTS = "vital-interests"
    PUBLIC_TASK = "public-task"
    LEGITIMATE_INTERESTS = "legitimate-interests"


class SpecialCondition(StrEnum):
    """Article 9(2)(a) to (j)."""

    A = "art9-2-a"
    B = "art9-2-b"
    C = "art9-2-c"
    D = "art9-2-d"
    E = "art9-2-e"
    F = "art9-2-f"
    G = "art9-2-g"
    H = "art9-2-h"
    I = "art9-2-i"  # noqa: E741 - the letter of the article
    J = "art9-2-j"


class ErasureGround(StrEnum):
    """Article 17(1)(a) to (f)."""

    A = "art17-1-a"
    B = "art17-1-b"
    C = "art17-1-c"
    D = "art17-1-d"
    E = "art17-1-e"
    F = "art17-1-f"


class HoldGround(StrEnum):
    """Article 17(3)(a) to (e): why data is kept although its erasure is asked for."""

    A = "art17-3-a"
    B = "art17-3-b"
    C = "art17-3-c"
    D = "art17-3-d"
    E = "art17-3-e"


class ConsentDecision(StrEnum):
    """What a person decided about one purpose. Refusals are kept too (Recital 43)."""

    GIVEN = "given"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


class Channel(StrEnum):
    """Where a decision or request reached the controller.

    REPLAY is no channel of a person: a withdrawal that the erasure journal brought back after a
    database was restored. CONTROLLER is none either: an erasure that nobody asked for. Callers
    can name neither.
    """

    WEB = "web"
    APP = "app"
    PAPER = "paper"
    PHONE = "phone"
    IN_PERSON = "in-person"
    EMAIL = "email"
    SOURCE_SYSTEM = "source-system"
    REPLAY = "replay"
    CONTROLLER = "controller"


#: What a caller may name.
CALLER_CHANNELS = tuple(
    channel for channel in Channel if channel not in {Channel.REPLAY, Channel.CONTROLLER}
)

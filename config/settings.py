"""Settings of every process, read from the environment (see .env.example).

One file: what differs between processes is `LETHE_PROCESS` and the credentials each is given.
"""

from datetime import timedelta
from pathlib import Path

from config import env

BASE_DIR = Path(__file__).resolve().parent.parent

# --- what this process is -----------------------------------------------------------------
LETHE_DEVELOPMENT = env.flag("LETHE_DEVELOPMENT")
LETHE_PROCESS = env.text("LETHE_PROCESS", "command")
LETHE_VERSION = "0.1.0"
LETHE_STATE_DIR = Path(env.text("LETHE_STATE_DIR", str(BASE_DIR / ".lethe")))

DEBUG = False
SECRET_KEY = env.text("LETHE_SECRET_KEY", "development-only" if LETHE_DEVELOPMENT else None)
ALLOWED_HOSTS = env.words("LETHE_ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = env.words("LETHE_CSRF_TRUSTED_ORIGINS")
LETHE_PUBLIC_URL = env.text("LETHE_PUBLIC_URL", "http://localhost:8000")
#: The log's name in its checkpoints, for ever: a public address without its scheme.
LETHE_LOG_ORIGIN = env.text(
    "LETHE_LOG_ORIGIN", LETHE_PUBLIC_URL.partition("://")[2].rstrip("/") + "/log"
)
#: Seconds between two batches of the log; each time between half as long and half as long again.
LETHE_LOG_EVERY = env.number("LETHE_LOG_EVERY", 300)
#: A TOML file with a table [chain.NAME] for each chain that the log is anchored on; none without.
LETHE_CHAINS = env.text("LETHE_CHAINS", "")
#: An RFC 3161 authority that stamps published heads, and a file of PEM certificates that its own
#: must lead to. Nothing is asked without both.
LETHE_TSA_URL = env.text("LETHE_TSA_URL", "")
LETHE_TSA_ROOTS = env.text("LETHE_TSA_ROOTS", "")
#: Seconds between two stamps.
LETHE_TSA_EVERY = env.number("LETHE_TSA_EVERY", 3600)
#: A file that says which witnesses cosign heads, and which of them make a quorum; none without.
LETHE_LOG_WITNESSES = env.text("LETHE_LOG_WITNESSES", "")
#: Seconds between two rounds in which those that have not cosigned the newest head are asked.
LETHE_WITNESS_EVERY = env.number("LETHE_WITNESS_EVERY", 60)
#: Seconds between two versions of a status list.
LETHE_STATUS_EVERY = env.number("LETHE_STATUS_EVERY", 3600)
#: Seconds that somebody outside has for a whole answer about a head.
LETHE_ASKING_TIMEOUT = env.number("LETHE_ASKING_TIMEOUT", 10)
LETHE_STREAM_URL = env.text("LETHE_STREAM_URL", LETHE_PUBLIC_URL)

INSTALLED_APPS = [
    "core",
    "accounts",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "pgtrigger",
    "allauth",
    "allauth.account",
    "oauth2_provider",
    "rest_framework",
    "drf_spectacular",
    "contracts",
    "vault",
    "governance",
]

MIDDLEWARE = [
    "core.api.middleware.RequestContext",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
]

_URLCONFS = {"stream": "config.urls_stream"}
ROOT_URLCONF = _URLCONFS.get(LETHE_PROCESS, "config.urls")
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# --- PostgreSQL: app role, owner role (migrations, expiry), stream role -----------------------
_APP = "DATABASE_STREAM_URL" if LETHE_PROCESS == "stream" else "DATABASE_URL"
DATABASES = {"default": env.database(_APP)}
if env.text("DATABASE_OWNER_URL", ""):  # only migrations and expiry hold the owner's credential
    DATABASES["owner"] = env.database("DATABASE_OWNER_URL")
#: Role names that migrations give rights to.
LETHE_APP_ROLE = env.text("LETHE_APP_ROLE", "lethe_app")
LETHE_STREAM_ROLE = env.text("LETHE_STREAM_ROLE", "lethe_stream")
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
ATOMIC_REQUESTS = False

# --- people and clients -----------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
ACCOUNT_ADAPTER = "accounts.adapters.ClosedSignup"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
EMAIL_BACKEND = env.text(
    "LETHE_EMAIL_BACKEND",
    "django.core.mail.backends.console.EmailBackend"
    if LETHE_DEVELOPMENT
    else "django.core.mail.backends.smtp.EmailBackend",
)

OAUTH2_PROVIDER_APPLICATION_MODEL = "accounts.APIClient"
OAUTH2_PROVIDER_ACCESS_TOKEN_MODEL = "accounts.AccessToken"
OAUTH2_PROVIDER_REFRESH_TOKEN_MODEL = "accounts.RefreshToken"
OAUTH2_PROVIDER_GRANT_MODEL = "accounts.AuthorizationGrant"
OAUTH2_PROVIDER_ID_TOKEN_MODEL = "accounts.IDToken"
OAUTH2_PROVIDER = {
    "ACCESS_TOKEN_EXPIRE_SECONDS": 600,
    "AUTHORIZATION_CODE_EXPIRE_SECONDS": 60,
    "PKCE_REQUIRED": True,
    "ROTATE_REFRESH_TOKEN": True,
    "REFRESH_TOKEN_REUSE_PROTECTION": True,
    "SCOPES_BACKEND_CLASS": "governance.adapters.scopes.RegistryScopes",
    "OAUTH2_VALIDATOR_CLASS": "accounts.oauth.TokenValidator",
    "ALLOWED_REDIRECT_URI_SCHEMES": ["http", "https"] if LETHE_DEVELOPMENT else ["https"],
    "REFRESH_TOKEN_EXPIRE_SECONDS": 8 * 3600,
}

# --- REST -----------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["accounts.api.authentication.CallerAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["core.api.permissions.HasCaller"],
    "DEFAULT_RENDERER_CLASSES": ["core.api.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["core.api.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "core.api.problems.handler",
    "UNAUTHENTICATED_USER": None,
    "URL_FORMAT_OVERRIDE": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Lethe",
    "DESCRIPTION": "A vault for personal data that can forget, and prove it.",
    "VERSION": LETHE_VERSION,
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_NAME_OVERRIDES": {
        "ErasureGroundEnum": "governance.api.serializers.requests.GROUNDS",
        "HoldGroundEnum": "governance.api.serializers.holds.GROUNDS",
        "KindEnum": "governance.api.serializers.requests.KINDS",
        "ChannelEnum": "governance.api.serializers.requests.CHANNELS",
        "MassKindEnum": "governance.api.serializers.mass_acts.KINDS",
        "MassStateEnum": "governance.api.serializers.mass_acts.STATES",
    },
    "LICENSE": {"name": "Apache License 2.0", "identifier": "Apache-2.0"},
    "SERVERS": [{"url": "/"}],
    "SERVE_URLCONF": "config.urls_all",
}
#: Largest JSON body, and largest line of an NDJSON body, in bytes.
LETHE_MAX_BODY = int(env.number("LETHE_MAX_BODY", 1 << 20))
LETHE_MAX_LINE = int(env.number("LETHE_MAX_LINE", 256 << 10))
LETHE_MAX_BULK_LINES = int(env.number("LETHE_MAX_BULK_LINES", 10_000))
DATA_UPLOAD_MAX_MEMORY_SIZE = 64 << 20

# --- the key store ----------------------------------------------------------------------------
LETHE_KEY_STORE = env.text("LETHE_KEY_STORE", "hashicorp")
LETHE_VAULT_ADDR = env.text("LETHE_VAULT_ADDR", "")
LETHE_VAULT_NODES = env.words("LETHE_VAULT_NODES", LETHE_VAULT_ADDR)
LETHE_VAULT_PREFIX = env.text("LETHE_VAULT_PREFIX", "lethe-")
LETHE_VAULT_ROLE_ID = env.text("LETHE_VAULT_ROLE_ID", "")
LETHE_VAULT_SECRET_ID = env.text("LETHE_VAULT_SECRET_ID", "")
LETHE_VAULT_CACERT = env.text("LETHE_VAULT_CACERT", "")
LETHE_VAULT_TIMEOUT = env.number("LETHE_VAULT_TIMEOUT", 5.0)
LETHE_KEYRING_DIR = Path(env.text("LETHE_KEYRING_DIR", str(LETHE_STATE_DIR / "keyring")))

# --- what upper rooms bind to the ports of lower ones -------------------------------------------
LETHE_PORTS = {
    "custodian": "vault.adapters.factory.custodian",
    "hasher": "vault.adapters.factory.hasher",
    "inventory": "vault.adapters.factory.inventory",
    "signer": "vault.adapters.factory.signer",
    "wrapping_keys": "vault.adapters.factory.wrapping_keys",
    "rotation": "vault.adapters.factory.rotation",
    "journal": "vault.adapters.journal.journal",
    "journal_reader": "vault.adapters.journal.reader",
    "marker": "vault.adapters.factory.marker",
    "head_keeper": "vault.adapters.factory.head_keeper",
    "chains": "contracts.adapters.chains.chains",
    "senders": "contracts.adapters.chains.senders",
    "opening_sealer": "vault.services.openings.sealer",
    "participants": ["governance.adapters.participant.participant"],
}
#: Effect kind -> (dotted path of the handler, queue).
LETHE_EFFECTS = {
    "vault.shred": ("vault.effects.shred", "shred"),
    "vault.find-orphans": ("vault.effects.find_orphans", "shred"),
    "vault.attest": ("vault.effects.attest", "attest"),
    "vault.rekey": ("vault.effects.rekey", "default"),
    "vault.regrant": ("vault.effects.regrant", "default"),
    "governance.expire-group": ("governance.effects.expire_group", "default"),
    "governance.certify": ("governance.effects.certify", "attest"),
    "governance.certify-final": ("governance.effects.certify_final", "attest"),
    "governance.activate-purpose": ("governance.effects.activate_purpose", "default"),
    "governance.ground-again": ("governance.effects.ground_again", "default"),
    "governance.mass-act": ("governance.effects.run_mass_act", "default"),
    "governance.activate-consents": ("governance.effects.activate_consents", "default"),
}
#: Queue -> functions that its worker calls every LETHE_GATE_EVERY seconds with `now`.
LETHE_TENDERS = {"shred": ["vault.services.gatekeeper.tend"]}
#: Called hourly with `now`; each ends what is past its time and says how many rows it was.
LETHE_PURGES = [
    "core.idempotency.purge",
    "governance.services.suppressions.expire",
    "vault.services.abandoned.purge",
    "vault.services.orphans.end_cleared",
    "governance.services.final_certificates.clear",
]
LETHE_DOCTOR_CHECKS = ["vault.adapters.checks.findings", "contracts.adapters.checks.findings"]
#: Name -> function whose answer /readyz shows beside the checks.
LETHE_READY_DETAILS = {"gate": "vault.adapters.checks.gate_details"}
#: Called before /metrics answers, to measure what only the database knows.
LETHE_METRIC_PROBES = [
    "core.measures.measure_effects",
    "vault.adapters.measures.measure_gate",
    "vault.adapters.measures.measure_journal",
    "vault.adapters.measures.measure_erasures",
    "contracts.adapters.measures.measure_log",
    "contracts.adapters.measures.measure_outside",
    "contracts.adapters.measures.measure_chains",
]
LETHE_READY_CHECKS = ["vault.adapters.checks.ready"]
LETHE_EFFECT_LEASE = timedelta(seconds=env.number("LETHE_EFFECT_LEASE", 60))
LETHE_EFFECT_ATTEMPTS = int(env.number("LETHE_EFFECT_ATTEMPTS", 12))
LETHE_EFFECT_BACKOFF = timedelta(seconds=env.number("LETHE_EFFECT_BACKOFF", 2))
#: Most erasures that the eraser carries through together.
LETHE_ERASER_BATCH = int(env.number("LETHE_ERASER_BATCH", 200))
LETHE_SWEEP_EVERY = env.number("LETHE_SWEEP_EVERY", 2.0)

# --- erasure: outwaited after the fence (design: page-write deadline, cache, key-store call) ----
LETHE_PAGE_DEADLINE = timedelta(seconds=env.number("LETHE_PAGE_DEADLINE", 30))
#: How old a page that was selected ahead may be when its turn comes; 0 selects none ahead.
LETHE_READ_AHEAD = timedelta(seconds=env.number("LETHE_READ_AHEAD", 0.25))
LETHE_DEK_CACHE = timedelta(seconds=min(60.0, env.number("LETHE_DEK_CACHE", 60)))
#: How long a jump of the clock ahead must last before the process that outwaits drains follows it.
LETHE_CLOCK_SETTLE = timedelta(0)
if LETHE_PROCESS == "eraser":
    LETHE_CLOCK_SETTLE = LETHE_PAGE_DEADLINE + LETHE_DEK_CACHE
    LETHE_CLOCK_SETTLE += timedelta(seconds=LETHE_VAULT_TIMEOUT + 5)
LETHE_DEK_CACHE_SIZE = int(env.number("LETHE_DEK_CACHE_SIZE", 100_000))
#: A re-key waits for a snapshot of the key store and for a backup of the database; no longer than
#: this. What LETHE_BACKUPS_ATTESTED names says whether there is one: (store, after) -> bool.
LETHE_REKEY_SWAP_HOURS = env.number("LETHE_REKEY_SWAP_HOURS", 24)
LETHE_REKEY_DESTROY_HOURS = env.number("LETHE_REKEY_DESTROY_HOURS", 72)
LETHE_BACKUPS_ATTESTED = "vault.services.backups.attested"
#: Whether no backup of a store from before a time is left: (store, since, now) -> bool.
LETHE_BACKUPS_CLEARED = "vault.services.backups.cleared"
#: A replay that finds more of the keys in use missing than this needs somebody who answers for it.
LETHE_LOSS_PERCENT = env.number("LETHE_LOSS_PERCENT", 1)
LETHE_LEASE_HOURS = env.number("LETHE_LEASE_HOURS", 12)
LETHE_REMOVAL_DAYS = int(env.number("LETHE_REMOVAL_DAYS", 90))
LETHE_SUPPRESSION_DAYS = int(env.number("LETHE_SUPPRESSION_DAYS", 30))
#: How long data is served after journal, database and key store were last found in step.
LETHE_GATE_LEASE = timedelta(seconds=min(900.0, env.number("LETHE_GATE_LEASE", 900)))
#: How often the eraser counts one up in the key store, so that a restored one is found out.
LETHE_BEAT_EVERY = timedelta(seconds=env.number("LETHE_BEAT_SECONDS", 60))
#: How often the eraser compares them, in seconds.
LETHE_GATE_EVERY = env.number("LETHE_GATE_EVERY", 2.0)
LETHE_JOURNAL_DIR = Path(env.text("LETHE_JOURNAL_DIR", str(LETHE_STATE_DIR / "journal")))
LETHE_JOURNAL_MIRRORS = [Path(path) for path in env.words("LETHE_JOURNAL_MIRRORS")]
#: How old the oldest backup of either store may be; younger entries stay in the journal.
LETHE_BACKUP_HORIZON_DAYS = int(env.number("LETHE_BACKUP_HORIZON_DAYS", 35))

# --- Celery: carries ids only; the effects table is the truth ----------------------------------
LETHE_BROKER_URL = env.text("LETHE_BROKER_URL", "filesystem://" if LETHE_DEVELOPMENT else None)
LETHE_BROKER_DIR = Path(env.text("LETHE_BROKER_DIR", str(LETHE_STATE_DIR / "broker")))

# --- the rest -----------------------------------------------------------------------------------
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
STATIC_URL = "static/"
STATIC_ROOT = LETHE_STATE_DIR / "static"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "no-referrer"
SECURE_SSL_REDIRECT = env.flag("LETHE_SSL_REDIRECT", default=not LETHE_DEVELOPMENT)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_HSTS_SECONDS = 0 if LETHE_DEVELOPMENT else 31_536_000
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not LETHE_DEVELOPMENT
SESSION_COOKIE_AGE = 8 * 3600
X_FRAME_OPTIONS = "DENY"
LOGGING_CONFIG = "core.logging.configure"
LOGGING = {"level": env.text("LETHE_LOG_LEVEL", "INFO"), "format": env.text("LETHE_LOG", "json")}

"""Keys and tokens whose issuers give them a form of their own."""

from collections.abc import Iterable
from functools import partial
from typing import Final

from stormproof.reflex.pii.finding import Finding, Kind
from stormproof.reflex.pii.recogniser import Recogniser

_LEAST_DIFFERENT: Final = 8

_API_KEYS: Final = {
    "airtable": r"\bpat[A-Za-z0-9]{14}\.[0-9a-f]{64}",
    "anthropic": r"\bsk-ant-[a-z]+\d{2}-[A-Za-z0-9_-]{20,}",
    "aws": r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}\b",
    "cloudflare": r"\bv1\.0-[0-9a-f]{24}-[0-9a-f]{146}\b",
    "databricks": r"\bdapi[0-9a-f]{32}(?:-\d)?\b",
    "elevenlabs": r"\bsk_[0-9a-f]{48}\b",
    "google": r"\bAIza[A-Za-z0-9_-]{35}",
    "grafana": r"\bgls?[ac]_[A-Za-z0-9+/]{32,}={0,2}(?:_[0-9a-f]{8})?",
    "groq": r"\bgsk_[A-Za-z0-9]{40,}",
    "langsmith": r"\blsv2_[a-z]{2}_[0-9a-f]{32}_[0-9a-f]{10}",
    "linear": r"\blin_(?:api|oauth)_[A-Za-z0-9]{32,}",
    "mailchimp": r"\b[0-9a-f]{32}-us\d{1,2}\b",
    "mailgun": r"\bkey-[0-9a-f]{32}\b",
    "new relic": r"\bNRAK-[A-Z0-9]{27}\b",
    "nvidia": r"\bnvapi-[A-Za-z0-9_-]{40,}",
    "openai": r"\bsk-(?:proj-|svcacct-|admin-|or-v1-)?[A-Za-z0-9_-]{20,}",
    "perplexity": r"\bpplx-[A-Za-z0-9]{32,}",
    "postman": r"\bPMAK-[0-9a-f]{24}-[0-9a-f]{34}\b",
    "replicate": r"\br8_[A-Za-z0-9]{37}\b",
    "sendgrid": r"\bSG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}",
    "square": r"\bsq0[a-z]{3}-[A-Za-z0-9_-]{22,43}",
    "stripe": r"\b[sr]k_(?:live|test)_[A-Za-z0-9]{16,}|\bwhsec_[A-Za-z0-9+/]{24,}={0,2}",
    "twilio": r"\b(?:SK|AC)[0-9a-f]{32}\b",
    "xai": r"\bxai-[A-Za-z0-9]{60,}",
}
_TOKENS: Final = {
    "atlassian": r"\bATATT3[A-Za-z0-9_-]{60,}(?:=[0-9A-F]{8})?",
    "digitalocean": r"\bdo[opr]_v1_[0-9a-f]{64}\b",
    "discord": r"\b[MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,38}",
    "docker": r"\bdckr_[a-z]+_[A-Za-z0-9_-]{20,}",
    "figma": r"\bfig[dour]_[A-Za-z0-9_-]{36,}",
    "github": r"\bgh[pousr]_[A-Za-z0-9]{36,}|\bgithub_pat_[A-Za-z0-9_]{36,}",
    "gitlab": r"\bgl[a-z]{2,6}-[A-Za-z0-9_-]{20,}(?:\.[0-9a-z.]+)?",
    "google": r"\bya29\.[A-Za-z0-9_-]{20,}|\bGOCSPX-[A-Za-z0-9_-]{24,}",
    "hugging face": r"\bhf_[A-Za-z0-9]{30,}\b|\bapi_org_[A-Za-z0-9]{30,}",
    "netlify": r"\bnfp_[A-Za-z0-9]{36,}",
    "notion": r"\bntn_[A-Za-z0-9]{40,}|\bsecret_[A-Za-z0-9]{43}\b",
    "npm": r"\bnpm_[A-Za-z0-9]{36}\b",
    "planetscale": r"\bpscale_[a-z]+_[A-Za-z0-9_.-]{32,}",
    "pypi": r"\bpypi-[A-Za-z0-9_-]{50,}",
    "rubygems": r"\brubygems_[0-9a-f]{48}\b",
    "sentry": r"\bsntry[su]_[A-Za-z0-9+/=_-]{40,}",
    "shopify": r"\bshp(?:at|ca|pa|ss|ua)_[0-9A-Fa-f]{32}\b",
    "slack": r"\bxox[a-z]-[A-Za-z0-9-]{20,}|\bxapp-\d-[A-Za-z0-9-]{20,}"
    r"|\bhooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9+/]{30,}",
    "supabase": r"\bsbp_[0-9a-f]{40}\b",
    "telegram": r"\b\d{8,10}:AA[A-Za-z0-9_-]{32,33}",
    "vault": r"\bhv[sbr]\.[A-Za-z0-9_-]{24,}",
}


def _key(kind: Kind, issuer: str, text: str, start: int, end: int) -> Iterable[Finding]:
    """Yield a key, unless it is an example's: ``sk-your-api-key-goes-here``, ``ghp_xxxxxxxx``."""
    key = text[start:end]
    if len(set(key)) >= _LEAST_DIFFERENT and not key.replace("-", "").replace("_", "").islower():
        yield Finding(kind, start, end, issuer)


RECOGNISERS: Final = tuple(
    Recogniser(frozenset({kind}), form, partial(_key, kind, issuer))
    for kind, forms in ((Kind.API_KEY, _API_KEYS), (Kind.TOKEN, _TOKENS))
    for issuer, form in forms.items()
)

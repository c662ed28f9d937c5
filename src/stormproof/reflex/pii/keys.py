"""Keys and tokens whose issuers give them a form of their own."""

import re
from collections.abc import Iterable
from typing import Final

from stormproof.reflex.pii.finding import Finding, Kind
from stormproof.reflex.pii.recogniser import Recogniser

_LEAST_DIFFERENT: Final = 8

_API_KEYS: Final = {  # by issuers: what is in a text that has one, and how one looks
    "airtable": (r"\bpat[A-Za-z0-9]{14}\.", r"\bpat[A-Za-z0-9]{14}\.[0-9a-f]{64}"),
    "anthropic": (r"\bsk-ant-", r"\bsk-ant-[a-z]+\d{2}-[A-Za-z0-9_-]{20,400}"),
    "aws": (r"\bA(?:KIA|SIA|BIA|CCA)", r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}\b"),
    "cloudflare": (r"\bv1\.0-", r"\bv1\.0-[0-9a-f]{24}-[0-9a-f]{146}\b"),
    "databricks": (r"\bdapi[0-9a-f]", r"\bdapi[0-9a-f]{32}(?:-\d)?\b"),
    "elevenlabs": (r"\bsk_[0-9a-f]", r"\bsk_[0-9a-f]{48}\b"),
    "google": (r"\bAIza", r"\bAIza[A-Za-z0-9_-]{35}"),
    "grafana": (r"\bgls?[ac]_", r"\bgls?[ac]_[A-Za-z0-9+/]{32,400}={0,2}(?:_[0-9a-f]{8})?"),
    "groq": (r"\bgsk_", r"\bgsk_[A-Za-z0-9]{40,400}"),
    "langsmith": (r"\blsv2_", r"\blsv2_[a-z]{2}_[0-9a-f]{32}_[0-9a-f]{10}"),
    "linear": (r"\blin_(?:api|oauth)_", r"\blin_(?:api|oauth)_[A-Za-z0-9]{32,400}"),
    "mailgun": (r"\bkey-[0-9a-f]", r"\bkey-[0-9a-f]{32}\b"),
    "new relic": (r"\bNRAK-", r"\bNRAK-[A-Z0-9]{27}\b"),
    "nvidia": (r"\bnvapi-", r"\bnvapi-[A-Za-z0-9_-]{40,400}"),
    "openai": (r"\bsk-", r"\bsk-(?:proj-|svcacct-|admin-|or-v1-)?[A-Za-z0-9_-]{20,400}"),
    "perplexity": (r"\bpplx-", r"\bpplx-[A-Za-z0-9]{32,400}"),
    "postman": (r"\bPMAK-", r"\bPMAK-[0-9a-f]{24}-[0-9a-f]{34}\b"),
    "replicate": (r"\br8_", r"\br8_[A-Za-z0-9]{37}\b"),
    "sendgrid": (r"\bSG\.", r"\bSG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}"),
    "square": (r"\bsq0", r"\bsq0[a-z]{3}-[A-Za-z0-9_-]{22,43}"),
    "stormproof": (r"\bsp-", r"\bsp-[A-Za-z0-9_-]{43}"),
    "stripe": (
        r"\b[sr]k_(?:live|test)_|\bwhsec_",
        r"\b[sr]k_(?:live|test)_[A-Za-z0-9]{16,400}|\bwhsec_[A-Za-z0-9+/]{24,400}={0,2}",
    ),
    "twilio": (r"\b(?:SK|AC)[0-9a-f]{4}", r"\b(?:SK|AC)[0-9a-f]{32}\b"),
    "xai": (r"\bxai-", r"\bxai-[A-Za-z0-9]{60,400}"),
}
_TOKENS: Final = {
    "atlassian": (r"\bATATT3", r"\bATATT3[A-Za-z0-9_-]{60,400}(?:=[0-9A-F]{8})?"),
    "digitalocean": (r"\bdo[opr]_v1_", r"\bdo[opr]_v1_[0-9a-f]{64}\b"),
    "docker": (r"\bdckr_", r"\bdckr_[a-z]+_[A-Za-z0-9_-]{20,400}"),
    "figma": (r"\bfig[dour]_", r"\bfig[dour]_[A-Za-z0-9_-]{36,400}"),
    "github": (
        r"\bgh[pousr]_|\bgithub_pat_",
        r"\bgh[pousr]_[A-Za-z0-9]{36,400}|\bgithub_pat_[A-Za-z0-9_]{36,400}",
    ),
    "gitlab": (r"\bgl[a-z]{2,6}-", r"\bgl[a-z]{2,6}-[A-Za-z0-9_-]{20,400}(?:\.[0-9a-z.]{1,64})?"),
    "google": (
        r"\bya29\.|\bGOCSPX-",
        r"\bya29\.[A-Za-z0-9_-]{20,400}|\bGOCSPX-[A-Za-z0-9_-]{24,400}",
    ),
    "hugging face": (
        r"\bhf_|\bapi_org_",
        r"\bhf_[A-Za-z0-9]{30,400}\b|\bapi_org_[A-Za-z0-9]{30,400}",
    ),
    "netlify": (r"\bnfp_", r"\bnfp_[A-Za-z0-9]{36,400}"),
    "notion": (r"\bntn_|\bsecret_", r"\bntn_[A-Za-z0-9]{40,400}|\bsecret_[A-Za-z0-9]{43}\b"),
    "npm": (r"\bnpm_", r"\bnpm_[A-Za-z0-9]{36}\b"),
    "planetscale": (r"\bpscale_", r"\bpscale_[a-z]+_[A-Za-z0-9_.-]{32,400}"),
    "pypi": (r"\bpypi-", r"\bpypi-[A-Za-z0-9_-]{50,400}"),
    "rubygems": (r"\brubygems_", r"\brubygems_[0-9a-f]{48}\b"),
    "sentry": (r"\bsntry[su]_", r"\bsntry[su]_[A-Za-z0-9+/=_-]{40,400}"),
    "shopify": (r"\bshp[a-z]{2}_", r"\bshp(?:at|ca|pa|ss|ua)_[0-9A-Fa-f]{32}\b"),
    "slack": (
        r"\bxox[a-z]-|\bxapp-|\bhooks\.slack",
        (
            r"\bxox[a-z]-[A-Za-z0-9-]{20,400}|\bxapp-\d-[A-Za-z0-9-]{20,400}"
            r"|\bhooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9+/]{30,400}"
        ),
    ),
    "supabase": (r"\bsbp_", r"\bsbp_[0-9a-f]{40}\b"),
    "telegram": (r"\b\d{8,10}:AA", r"\b\d{8,10}:AA[A-Za-z0-9_-]{32,33}"),
    "vault": (r"\bhv[sbr]\.", r"\bhv[sbr]\.[A-Za-z0-9_-]{24,400}"),
}


_ROWS: Final = tuple(
    (kind, issuer, sign, form)
    for kind, forms in ((Kind.API_KEY, _API_KEYS), (Kind.TOKEN, _TOKENS))
    for issuer, (sign, form) in forms.items()
)
_SIGNS: Final = "|".join(sign for _, _, sign, _ in _ROWS)
_FORMS: Final = re.compile("|".join(f"({form})" for _, _, _, form in _ROWS))


def _key(text: str, start: int, _end: int) -> Iterable[Finding]:
    """Yield a key, unless it is an example's: ``sk-your-api-key-goes-here``, ``ghp_xxxxxxxx``."""
    written = _FORMS.match(text, start)
    if not written or not written.lastindex or len(set(written[0])) < _LEAST_DIFFERENT:
        return
    if not written[0].islower() or any(one.isdigit() for one in written[0]):
        kind, issuer, *_ = _ROWS[written.lastindex - 1]
        yield Finding(kind, start, written.end(), issuer)


RECOGNISER: Final = Recogniser(frozenset({Kind.API_KEY, Kind.TOKEN}), _SIGNS, _SIGNS, _key)

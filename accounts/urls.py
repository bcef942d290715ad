"""Sign-in pages and OAuth endpoints: only those that are used, none to manage applications."""

from allauth.account import views as allauth_views
from django.urls import URLPattern, path, re_path

from accounts import views

#: Names are allauth's; it looks them up.
account_urlpatterns: list[URLPattern] = [
    path("login/", allauth_views.login, name="account_login"),
    path("logout/", allauth_views.logout, name="account_logout"),
    path("inactive/", allauth_views.account_inactive, name="account_inactive"),
    path("signup/", allauth_views.signup, name="account_signup"),  # says that there is none
    path("reauthenticate/", allauth_views.reauthenticate, name="account_reauthenticate"),
    path("password/change/", allauth_views.password_change, name="account_change_password"),
    path("password/set/", allauth_views.password_set, name="account_set_password"),
    path("password/reset/", allauth_views.password_reset, name="account_reset_password"),
    path(
        "password/reset/done/",
        allauth_views.password_reset_done,
        name="account_reset_password_done",
    ),
    re_path(
        r"^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
        allauth_views.password_reset_from_key,
        name="account_reset_password_from_key",
    ),
    path(
        "password/reset/key/done/",
        allauth_views.password_reset_from_key_done,
        name="account_reset_password_from_key_done",
    ),
]

#: With and without the closing slash, since OAuth clients are configured either way.
oauth_urlpatterns: list[URLPattern] = [
    re_path(r"^authorize/?$", views.AuthorizationView.as_view(), name="oauth-authorize"),
    re_path(r"^token/?$", views.TokenView.as_view(), name="oauth-token"),
    re_path(r"^revoke_token/?$", views.RevokeTokenView.as_view(), name="oauth-revoke-token"),
]

urlpatterns: list[URLPattern] = [path("", views.home, name="home")]

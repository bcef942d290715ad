"""Routes of the REST API: what web processes serve, and what stream processes serve."""

from django.urls import URLPattern, path

from governance.api import (
    categories,
    consents,
    holds,
    keys,
    leases,
    mass_acts,
    purposes,
    records,
    rekeys,
    requests,
    subjects,
    suppressions,
)

web_urlpatterns: list[URLPattern] = [
    path("subjects", subjects.Subjects.as_view()),
    path("subjects:bulk", subjects.SubjectsBulk.as_view()),
    path("subjects/lookup", subjects.SubjectLookup.as_view()),
    path("subjects/<str:subject_id>", subjects.Subject.as_view()),
    path("subjects/<str:subject_id>/records", records.SubjectRecords.as_view()),
    path("records:bulk", records.RecordsBulk.as_view()),
    path("records/<str:record_id>/versions", records.RecordVersions.as_view()),
    path("records/<str:record_id>/erasures", rekeys.RecordErasures.as_view()),
    path("records/<str:record_id>/rectifications", rekeys.RecordRectifications.as_view()),
    path("subjects/<str:subject_id>/rekeys", rekeys.SubjectRekeys.as_view()),
    path("rekeys/<str:rekey_id>", rekeys.Rekey.as_view()),
    path("rekeys/<str:rekey_id>/certificates", rekeys.RekeyCertificates.as_view()),
    path("subjects/<str:subject_id>/expiries", rekeys.SubjectExpiries.as_view()),
    path("expiries/<str:erasure_id>", rekeys.Expiry.as_view()),
    path("expiries/<str:erasure_id>/certificates", rekeys.ExpiryCertificates.as_view()),
    path("subjects/<str:subject_id>/consents", consents.SubjectConsents.as_view()),
    path("consents", consents.Consents.as_view()),
    path("consents:bulk", consents.ConsentsBulk.as_view()),
    path("categories", categories.Categories.as_view()),
    path("categories/<str:category_id>", categories.Category.as_view()),
    path("purposes", purposes.Purposes.as_view()),
    path("purposes/<str:purpose_id>", purposes.Purpose.as_view()),
    path("purposes/<str:purpose_id>/versions", purposes.PurposeVersions.as_view()),
    path("purposes/<str:purpose_id>/activations", purposes.PurposeActivations.as_view()),
    path("purposes/<str:purpose_id>/removals", purposes.PurposeRemovals.as_view()),
    path(
        "purposes/<str:purpose_id>/removals/acknowledgements",
        purposes.RemovalAcknowledgements.as_view(),
    ),
    path("requests", requests.Requests.as_view()),
    path("requests/<str:request_id>", requests.SubjectRequestItem.as_view()),
    path("requests/<str:request_id>/decisions", requests.Decisions.as_view()),
    path("requests/<str:request_id>/approvals", requests.Approvals.as_view()),
    path("requests/<str:request_id>/releases", requests.Releases.as_view()),
    path("requests/<str:request_id>/withdrawal", requests.Withdrawal.as_view()),
    path("requests/<str:request_id>/certificates", requests.Certificates.as_view()),
    path("mass-acts", mass_acts.MassActs.as_view()),
    path("mass-acts/<str:mass_act_id>", mass_acts.MassAct.as_view()),
    path("mass-acts/<str:mass_act_id>/approvals", mass_acts.MassActApprovals.as_view()),
    path("mass-acts/<str:mass_act_id>/releases", mass_acts.MassActReleases.as_view()),
    path("mass-acts/<str:mass_act_id>/withdrawal", mass_acts.MassActWithdrawal.as_view()),
    path("mass-acts/<str:mass_act_id>/requests", mass_acts.MassActRequests.as_view()),
    path("purposes/<str:purpose_id>/retirements", mass_acts.PurposeRetirements.as_view()),
    path("holds", holds.Holds.as_view()),
    path("holds/<str:lock_id>/lifts", holds.Lifts.as_view()),
    path("suppressions/acknowledgements", suppressions.SuppressionAcknowledgements.as_view()),
    path("purposes/<str:purpose_id>/leases", leases.PurposeLeases.as_view()),
    path("leases/<str:lease_id>", leases.Lease.as_view()),
    path("leases/<str:lease_id>/close", leases.LeaseClose.as_view()),
]

stream_urlpatterns: list[URLPattern] = [
    path("leases/<str:lease_id>/records", leases.LeaseRecords.as_view()),
]

well_known_urlpatterns: list[URLPattern] = [path("lethe-keys", keys.Keys.as_view())]

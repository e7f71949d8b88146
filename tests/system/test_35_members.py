"""Members of workspaces: invited, joined, gone; and what goes with them."""

import uuid

from kit.wait import until

from .domain import (WAIT_S, accept, address_of, applied, connections, deliver, invitation_token, invite, mails, member,
                     members, pending_session, plan_change, refused, share, subscription, workspace, workspaces_of)


def leave(world, user_id, workspace_id):
    return world.ingress.api(user_id, f"/api/workspaces/{workspace_id}/leave", wait_s=WAIT_S)


def revoke(world, user_id, workspace_id, member_id):
    return world.ingress.api(user_id, f"/api/workspaces/{workspace_id}/revoke", {"member_id": member_id}, wait_s=WAIT_S)


def stranger():
    return f"user-{uuid.uuid4().hex[:12]}"


def test_invited_and_joined(world):
    owner, _, row, _ = workspace(world, "Fjord <b>& Co</b>")
    guest = stranger()
    address = f"Kari.{guest}@Example.ORG"
    applied(invite(world, owner, row["id"], address, email=address_of(owner)))
    token = invitation_token(world, address.lower())
    sent, = world.clouds.emails(address.lower())
    assert "Fjord <b>& Co</b>" in sent["text"] and "Fjord &lt;b&gt;&amp; Co&lt;/b&gt;" in sent["html"]
    assert "<b>& Co" not in sent["html"]
    held = world.books.row("SELECT * FROM sluice.invites WHERE workspace_id = %s", row["id"])
    assert held["email"] == address.lower() and token not in str(held)
    assert (held["expires_at"] - held["created_at"]).days == 7
    applied(accept(world, guest, token))
    assert members(world, row["id"]) == {owner: "owner", guest: "member"}
    refused(accept(world, stranger(), token), 404, "INVITE_NOT_FOUND")  # single use
    refused(accept(world, guest, token), 404, "INVITE_NOT_FOUND")


def test_an_expired_invitation(world):
    owner, _, row, _ = workspace(world)
    guest = stranger()
    applied(invite(world, owner, row["id"], address_of(guest)))
    token = invitation_token(world, address_of(guest))
    world.books.rows("UPDATE sluice.invites SET expires_at = now() - interval '1 second' WHERE workspace_id = %s"
                     " RETURNING id", row["id"])
    world.bent.add(guest)
    refused(accept(world, guest, token), 410, "INVITE_EXPIRED")
    assert members(world, row["id"]) == {owner: "owner"}


def test_a_new_invitation_replaces_the_old_one(world):
    owner, _, row, _ = workspace(world)
    guest = stranger()
    applied(invite(world, owner, row["id"], address_of(guest)))
    first = invitation_token(world, address_of(guest))
    applied(invite(world, owner, row["id"], address_of(guest).upper()))
    until(lambda: len([job for job in mails(world, address_of(guest), "invite") if job["status"] == "succeeded"]) == 2,
          "the second invitation", 60)
    second = invitation_token(world, address_of(guest))
    assert first != second
    refused(accept(world, guest, first), 404, "INVITE_NOT_FOUND")
    applied(accept(world, guest, second))


def test_open_invitations_take_seats(world):
    owner, _, row, _ = workspace(world)
    for _ in range(9):
        applied(invite(world, owner, row["id"], address_of(stranger())))
    refused(invite(world, owner, row["id"], address_of(stranger())), 403, "workspace_member_limit")
    open_invites = world.books.value("SELECT count(*) FROM sluice.invites WHERE workspace_id = %s"
                                     " AND accepted_at IS NULL AND revoked_at IS NULL", row["id"])
    assert open_invites == 9


def test_solo_invites_nobody(world):
    owner, customer, row, subscription_id = workspace(world)
    guest = stranger()
    applied(invite(world, owner, row["id"], address_of(guest)))
    token = invitation_token(world, address_of(guest))
    subscription(world, owner, customer, "deleted", subscription_id, status="canceled", price="price_workspace")
    refused(invite(world, owner, row["id"], address_of(stranger())), 403, "workspace_plan_required")
    answer = accept(world, guest, token)
    assert answer.status_code == 403, answer.text
    assert answer.json()["errorCode"] in ("workspace_member_limit", "workspace_plan_required")


def test_who_may(world):
    owner, _, row, _ = workspace(world)
    guest = member(world, owner, row["id"])
    outsider, _, _, _ = workspace(world)
    refused(invite(world, guest, row["id"], address_of(stranger())), 403, "FORBIDDEN")
    refused(revoke(world, guest, row["id"], owner), 403, "FORBIDDEN")
    refused(invite(world, outsider, row["id"], address_of(stranger())), 404, "WORKSPACE_NOT_FOUND")
    refused(revoke(world, outsider, row["id"], guest), 404, "WORKSPACE_NOT_FOUND")
    refused(leave(world, outsider, row["id"]), 404, "WORKSPACE_NOT_FOUND")
    refused(revoke(world, owner, row["id"], owner), 409, "INVALID_STATE")
    refused(revoke(world, owner, row["id"], stranger()), 409, "INVALID_STATE")
    assert members(world, row["id"]) == {owner: "owner", guest: "member"}


def test_who_leaves_takes_the_connections_along(world):
    owner, _, row, _ = workspace(world)
    guest = member(world, owner, row["id"])
    applied(share(world, owner, row["id"], "owners"))
    applied(share(world, guest, row["id"], "guests"))
    applied(leave(world, guest, row["id"]))
    assert set(connections(world, row["id"])) == {"owners"}
    assert members(world, row["id"]) == {owner: "owner"}
    personal, = workspaces_of(world, guest)
    assert (personal["tier"], personal["role"], personal["owner_id"]) == ("solo", "owner", guest)
    refused(leave(world, guest, row["id"]), 404, "WORKSPACE_NOT_FOUND")


def test_the_owner_hands_over_and_the_last_one_closes(world):
    owner, _, row, _ = workspace(world)
    older = member(world, owner, row["id"])
    younger = member(world, owner, row["id"])
    applied(leave(world, owner, row["id"]))
    assert members(world, row["id"]) == {older: "owner", younger: "member"}
    assert world.books.value("SELECT owner_id FROM sluice.workspaces WHERE id = %s", row["id"]) == older
    guest = stranger()
    applied(invite(world, older, row["id"], address_of(guest)))
    token = invitation_token(world, address_of(guest))
    applied(leave(world, younger, row["id"]))
    applied(leave(world, older, row["id"]))
    assert members(world, row["id"]) == {}
    assert world.books.value("SELECT closed_at FROM sluice.workspaces WHERE id = %s", row["id"])
    refused(accept(world, guest, token), 404, "INVITE_NOT_FOUND")


def test_who_is_revoked_is_told_and_has_a_workspace_left(world):
    owner, _, row, _ = workspace(world)
    guest = member(world, owner, row["id"])
    applied(share(world, guest, row["id"], "guests"))
    applied(revoke(world, owner, row["id"], guest))
    assert connections(world, row["id"]) == {} and members(world, row["id"]) == {owner: "owner"}
    personal = until(lambda: workspaces_of(world, guest), "the one removed to have a workspace", 60)
    assert [(one["tier"], one["role"]) for one in personal] == [("solo", "owner")]
    told = world.books.rows("SELECT * FROM sluice.events WHERE user_id = %s AND type = 'member.removed'", guest)
    assert len(told) == 1 and told[0]["outcome"] == "applied" and told[0]["source"] == "/sluice/apply"


def test_who_has_another_workspace_gets_none(world):
    owner, _, row, _ = workspace(world)
    guest, _, own, _ = workspace(world, "Own")
    applied(invite(world, owner, row["id"], address_of(guest)))
    applied(accept(world, guest, invitation_token(world, address_of(guest))))
    applied(revoke(world, owner, row["id"], guest))
    until(lambda: world.books.rows("SELECT * FROM sluice.events WHERE user_id = %s AND type = 'member.removed'", guest),
          "the one removed to be told", 60)
    assert [one["id"] for one in workspaces_of(world, guest)] == [own["id"]]


def test_a_personal_workspace_grows(world):
    """The workspace that one has is the one that is upgraded."""
    owner, _, row, _ = workspace(world)
    guest = member(world, owner, row["id"])
    applied(leave(world, guest, row["id"]))
    personal, = workspaces_of(world, guest)
    applied(plan_change(world, guest, "workspace", workspace_name="Mine"))
    deliver(world, world.clouds.pay(pending_session(world, guest))["events"])
    grown = until(lambda: [one for one in workspaces_of(world, guest) if one["tier"] == "workspace"], "the upgrade", 60)
    assert [(one["id"], one["name"]) for one in grown] == [(personal["id"], "Mine")]

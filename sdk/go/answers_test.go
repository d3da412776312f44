package aiinfra

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
)

const claimText = `{"id": "1f", "user_id": 7, "spec": {"image": "busybox", "resources": {"gpuCount": 2}, "volumes": {"/a": "/b"}},
	"status": {"phase": "Running", "gpuUUIDs": ["GPU-1"]}, "created_at": "2026-01-02T03:04:05.123456789Z"}`

func TestMembersAreTyped(t *testing.T) {
	fake := newFake(t, says(http.StatusOK, claimText))
	claim := must[*Claim](t)(fake.client().Claims.Get("1f"))
	equal(t, claim.Spec.Resources.GPUCount, 2)
	equal(t, claim.Spec.Volumes, map[string]string{"/a": "/b"})
	equal(t, claim.Status.Phase, ClaimPhaseRunning)
	equal(t, claim.Status.GPUUUIDs, []string{"GPU-1"})
	equal(t, claim.CreatedAt, time.Date(2026, 1, 2, 3, 4, 5, 123456789, time.UTC))
}

func TestServersOfOtherAges(t *testing.T) {
	fake := newFake(t, says(http.StatusOK, `{"id": "1f", "spec": null, "created_at": null, "colour": "red", "status": {"phase": "Paused"}}`))
	claim := must[*Claim](t)(fake.client().Claims.Get("1f"))
	equal(t, claim.UserID, 0)
	equal(t, claim.Spec == nil && claim.CreatedAt.IsZero(), true)
	equal(t, claim.Status.Phase, ClaimPhase("Paused"))
}

func TestWhatTheContractDoesNotSayIsAnError(t *testing.T) {
	for _, content := range []string{"<html>", "", "[]", `{"user_id": "seven"}`, `{"created_at": "yesterday"}`, `{"spec": 3}`} {
		fake := newFake(t, says(http.StatusOK, content))
		if _, err := fake.client().Claims.Get("1"); !errors.Is(err, ErrInvalidResponse) {
			t.Errorf("%s gives %v", content, err)
		}
		equal(t, len(fake.seen()), 1)
	}
}

func TestEnvelopesAreOpened(t *testing.T) {
	fake := newFake(t, says(http.StatusOK, `{"code": 0, "message": "success", "data": {"host_id": "1", "name": "gpu-01"}}`))
	equal(t, must[*Host](t)(fake.client().Hosts.Get("1")).Name, "gpu-01")
	for _, content := range []string{"", "[]", "3", `{"code": 0}`, `{"data": 1}`, `{"data": [1]}`} {
		fake.tell(says(http.StatusOK, content))
		if _, err := fake.client().Hosts.Get("1"); !errors.Is(err, ErrInvalidResponse) {
			t.Errorf("%s gives %v", content, err)
		}
	}
}

func TestListsAndNothing(t *testing.T) {
	fake := newFake(t, says(http.StatusOK, `[{"id": "1"}, {"id": "2"}]`))
	equal(t, len(must[[]Container](t)(fake.client().NodeAgent.ListContainers())), 2)
	fake.tell(says(http.StatusNoContent, ""))
	if err := fake.client().Claims.Delete("1"); err != nil {
		t.Error(err)
	}
}

func TestRequestsHoldWhatIsGivenAndNothingElse(t *testing.T) {
	fake := newFake(t, says(http.StatusAccepted, claimText))
	client := fake.client()
	spec := &ClaimSpecInput{Image: "busybox", Resources: &ResourcesInput{GPUCount: 1}}
	must[*Claim](t)(client.Claims.Create(CreateClaimRequest{Spec: spec, RequestID: "mine"}))
	must[*Claim](t)(client.Claims.Create(CreateClaimRequest{Image: "busybox"}))
	resources := map[string]any{"gpuCount": 1.0}
	equal(t, fake.seen()[0].body, map[string]any{"spec": map[string]any{"image": "busybox", "resources": resources}, "request_id": "mine"})
	equal(t, len(fake.seen()[1].body["request_id"].(string)) > 20, true)
	equal(t, fake.seen()[0].header.Get("Authorization"), "Bearer a-token")
	equal(t, strings.HasPrefix(fake.seen()[0].header.Get("User-Agent"), "aiinfra-go/"), true)

	fake.tell(says(http.StatusOK, `{"data": {}}`))
	must[*Account](t)(client.Users.Update("1", UpdateUserRequest{Email: Ptr("")}))
	must[*Account](t)(client.Users.Update("1", UpdateUserRequest{}))
	must[*ChangePasswordResponse](t)(client.Users.ChangePassword("1", ChangePasswordRequest{}))
	equal(t, fake.seen()[0].body, map[string]any{"email": ""})
	equal(t, fake.seen()[1].body, map[string]any{})
	// What is required is always sent: whether it may be empty is for the server to say.
	equal(t, fake.seen()[2].body, map[string]any{"new_password": ""})
}

func TestParametersAreWrittenAsTheServerReadsThem(t *testing.T) {
	fake := newFake(t, says(http.StatusOK, `{"data": {}}`))
	client := fake.client()
	start := time.Date(2026, 1, 2, 4, 0, 0, 0, time.FixedZone("", 3600))
	must[*ListAuditEventsResponse](t)(client.Audit.ListEvents(AuditListEventsParams{StartTime: start, User: "ä&b", Page: 2}))
	if err := client.Hosts.Delete("a/b ?ü", HostsDeleteParams{Force: true}); err != nil {
		t.Error(err)
	}
	fake.then(fake.streams("ends"))
	for _, err := range client.Events.Watch(EventsWatchParams{Types: []string{"claim.*", "node.down"}, Once: true}) {
		t.Error(err)
	}
	equal(t, fake.seen()[0].query, map[string][]string{"start_time": {"2026-01-02T03:00:00Z"}, "user": {"ä&b"}, "page": {"2"}})
	equal(t, fake.seen()[1].path, "/api/v1/hosts/a%2Fb%20%3F%C3%BC")
	equal(t, fake.seen()[1].query, map[string][]string{"force": {"true"}})
	equal(t, fake.seen()[2].query, map[string][]string{"types": {"claim.*", "node.down"}, "once": {"true"}})
}

func TestIDsThatWouldBeAnotherPathAreRefused(t *testing.T) {
	fake := newFake(t, says(http.StatusOK, claimText))
	for _, id := range []string{"", ".", ".."} {
		if _, err := fake.client().Claims.Get(id); err == nil || !strings.Contains(err.Error(), "id cannot be") {
			t.Errorf("%q gives %v", id, err)
		}
	}
	equal(t, len(fake.seen()), 0)
}

func TestAddressesAreChecked(t *testing.T) {
	for _, address := range []string{"localhost:8080", "", "ftp://example", "http://", "http://[::1", ":"} {
		if _, err := NewClient(address, "").Claims.List(); err == nil || errors.Is(err, ErrConnection) {
			t.Errorf("%q gives %v", address, err)
		}
	}
}

func TestTheAPIMayBeBelowAPath(t *testing.T) {
	fake := newFake(t, says(http.StatusOK, claimText))
	must[*Claim](t)(NewClient(fake.URL+"/utopia/", "").Claims.Get("1"))
	equal(t, fake.seen()[0].path, "/utopia/api/gpu-claims/1")
}

func TestClientsWithOtherOptionsAreOthers(t *testing.T) {
	fake := newFake(t, says(http.StatusOK, claimText))
	client := fake.client()
	must[*Claim](t)(client.With(WithToken("two")).Claims.Get("1"))
	must[*Claim](t)(client.Claims.Get("1"))
	equal(t, fake.seen()[0].header.Get("Authorization"), "Bearer two")
	equal(t, fake.seen()[1].header.Get("Authorization"), "Bearer a-token")
}

func TestOperationsThatAreNotKnownHere(t *testing.T) {
	fake := newFake(t, says(http.StatusOK, `{"colour": "red"}`))
	var answer map[string]string
	err := fake.client().Request(context.Background(), http.MethodPut, "/api/colours/1", map[string]int{"a": 1}, &answer)
	equal(t, err, nil)
	equal(t, answer, map[string]string{"colour": "red"})
}

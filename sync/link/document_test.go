package link

import (
	"bytes"
	"testing"

	"bordergate/sync/wire"
)

func testPolicy() wire.Policy {
	return wire.Policy{
		Ver: 3, Issued: 1, FMR: "1e-4", Liveness: wire.LivenessEnforce, CacheMaxAge: 3600,
		Types: []wire.TypeRule{{Type: "border_pass", Level: 2}},
	}
}

func (r *downRig) policy(change ...func(*wire.Header)) Message {
	seq := func(h *wire.Header) { h.Seq = 3 }
	m := r.hq.message(wire.RolePolicy, wire.TypePolicy, wire.TopicPolicy, wire.ToAll, testPolicy(), append([]func(*wire.Header){seq}, change...)...)
	m.Retained = true
	return m
}

func TestDocumentIsPassedOnAlsoWhenRetained(t *testing.T) {
	r := newDown(t)
	var got []Document
	r.d.opts.OnDocument = func(d Document) { got = append(got, d) }
	m := r.policy()
	r.give(m)
	m.Retained = false
	r.give(m)
	if len(got) != 2 || got[0].Ver != 3 || got[0].Typ != wire.TypePolicy {
		t.Fatalf("passed on %+v, counters %v", got, r.d.counters.snapshot())
	}
	// What was kept can be read again, under its own type only.
	if d, err := ReadDocument(r.hq.ring, wire.TypePolicy, got[0].Signed); err != nil || !bytes.Equal(d.Payload, got[0].Payload) {
		t.Fatalf("read again: %v", err)
	}
	if _, err := ReadDocument(r.hq.ring, wire.TypeOfficers, got[0].Signed); err == nil {
		t.Fatal("a policy was read as a list of officers")
	}
}

func TestDocumentsRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		message func(*downRig) Message
		cause   string
	}{
		"forged": {func(r *downRig) Message {
			r.hq.roles[wire.RolePolicy] = testSigner("other", wire.RolePolicy)
			return r.policy()
		}, "unknown_key"},
		"under the command's key": {func(r *downRig) Message {
			return r.hq.message(wire.RoleCommand, wire.TypePolicy, wire.TopicPolicy, wire.ToAll, testPolicy())
		}, "wrong_role"},
		"policy as officers": {func(r *downRig) Message {
			m := r.policy()
			m.Topic = wire.TopicOfficers
			return m
		}, "type"},
		"bound to another topic": {func(r *downRig) Message {
			return r.policy(func(h *wire.Header) { h.Topic = wire.TopicOfficers })
		}, causeTopic},
		"to another gate": {func(r *downRig) Message {
			return r.policy(func(h *wire.Header) { h.To = "lane-2" })
		}, "address"},
		"truncated": {func(r *downRig) Message {
			m := r.policy()
			m.Payload = m.Payload[:len(m.Payload)-9]
			return m
		}, "form"},
		"oversized": {func(r *downRig) Message {
			m := r.policy()
			m.Payload = bytes.Repeat([]byte{'A'}, wire.MaxMessage+1)
			return m
		}, causeTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			r := newDown(t)
			r.d.opts.OnDocument = func(d Document) { t.Errorf("passed on %+v", d) }
			r.give(tc.message(r))
			if r.count(tc.cause) != 1 {
				t.Fatalf("counters %v", r.d.counters.snapshot())
			}
		})
	}
}

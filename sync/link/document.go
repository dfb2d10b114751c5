package link

import "bordergate/sync/wire"

// Document is a signed whole that HQ keeps retained for all gates, the policy
// or the officers' list. Signature, role and topic hold; its version and form
// are for the receiver to judge, who keeps the newest.
type Document struct {
	Typ     string
	Ver     uint64
	Payload []byte
	Signed  []byte // the message, to be kept and verified again
}

// CauseDocument is how a document that is not taken is counted.
const CauseDocument = "document_refused"

// onDocument passes a document on. It may be retained and old: that it is not
// older than the one in use is what its version is for.
func (d *Downlink) onDocument(m Message, typ string) {
	doc, err := ReadDocument(d.opts.Ring, typ, m.Payload)
	if err != nil {
		d.refuse(err)
		return
	}
	d.opts.OnDocument(doc)
}

// DocumentTopic is where documents of a type are retained.
func DocumentTopic(typ string) string {
	if typ == wire.TypeOfficers {
		return wire.TopicOfficers
	}
	return wire.TopicPolicy
}

// ReadDocument verifies a document, also one that was kept on disk.
func ReadDocument(ring *wire.Keyring, typ string, signed []byte) (Document, error) {
	h, payload, err := ring.Verify(signed, wire.Want{Typ: typ, Topic: DocumentTopic(typ), To: wire.ToAll, Role: wire.RolePolicy})
	if err != nil {
		return Document{}, err
	}
	return Document{Typ: typ, Ver: h.Seq, Payload: payload, Signed: signed}, nil
}

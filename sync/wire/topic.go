package wire

import (
	"errors"
	"fmt"
	"strings"
)

// Prefix begins every topic; its number is the protocol's major version.
const Prefix = "bordergate/1/"

// ErrTopicForm means that a topic is none of ours.
var ErrTopicForm = errors.New("topic is not of this protocol")

// Topics that have no gate in them.
const (
	TopicDelta  = Prefix + "all/accounts/delta"
	TopicUrgent = Prefix + "all/accounts/urgent"
	TopicHead   = Prefix + "all/accounts/head"
	TopicHQ     = Prefix + "hq/state"
	// Signed wholes that are retained for every gate.
	TopicPolicy   = Prefix + "all/policy"
	TopicOfficers = Prefix + "all/officers"
)

// Up is a topic on which the gate writes: leaf is birth, death, state, hello,
// applied, fetch or result.
func Up(gate, leaf string) string { return Prefix + "up/" + gate + "/" + leaf }

// UpRecords is the topic of the gate's records of a stream.
func UpRecords(gate string, s Stream) string { return Up(gate, "rec/"+s.String()) }

// UpLive is the topic of copies of a stream's newest records.
func UpLive(gate string, s Stream) string { return Up(gate, "live/"+s.String()) }

// Down is a topic on which one gate is addressed: leaf is key, delta, urgent,
// snapshot, piece or cmd.
func Down(gate, leaf string) string { return Prefix + "dn/" + gate + "/" + leaf }

// DownAck is the topic of HQ's retained acknowledgement of a stream.
func DownAck(gate string, s Stream) string { return Down(gate, "ack/"+s.String()) }

// ClientID is a gate's name at a broker. Two of one name throw each other out.
func ClientID(gate string) string { return "gate-" + gate }

// GateFilters are the subscriptions of a gate.
func GateFilters(gate string) []string {
	return []string{Prefix + "dn/" + gate + "/#", Prefix + "all/#", TopicHQ}
}

// HQFilters are the subscriptions of headquarters.
func HQFilters() []string { return []string{Prefix + "up/#"} }

// Topic is a topic taken apart. Gate is empty where the topic has none.
type Topic struct {
	Typ    string // the type of message that belongs there
	Gate   string
	Stream Stream // of records and acknowledgements
}

// ParseTopic accepts exactly the topics of this protocol.
func ParseTopic(t string) (Topic, error) {
	bad := fmt.Errorf("parse topic %.80q: %w", t, ErrTopicForm)
	switch t {
	case TopicDelta:
		return Topic{Typ: TypeDelta}, nil
	case TopicUrgent:
		return Topic{Typ: TypeUrgent}, nil
	case TopicHead:
		return Topic{Typ: TypeHead}, nil
	case TopicPolicy:
		return Topic{Typ: TypePolicy}, nil
	case TopicOfficers:
		return Topic{Typ: TypeOfficers}, nil
	case TopicHQ:
		return Topic{Typ: TypeHQ}, nil
	}
	rest, ok := strings.CutPrefix(t, Prefix)
	way, rest, ok2 := strings.Cut(rest, "/")
	gate, leaf, ok3 := strings.Cut(rest, "/")
	if !ok || !ok2 || !ok3 || !ValidGateID(gate) {
		return Topic{}, bad
	}
	typ, name, has := way+"/"+leaf, "", false
	if i := strings.LastIndexByte(typ, '/'); strings.Count(typ, "/") == 2 {
		typ, name, has = typ[:i], typ[i+1:], true
	}
	out := Topic{Typ: leafTypes[typ], Gate: gate}
	if streamed := out.Typ == TypeRecords || out.Typ == TypeLive || out.Typ == TypeAck; out.Typ == "" || streamed != has {
		return Topic{}, bad
	}
	if has {
		var err error
		if out.Stream, err = ParseStream(name); err != nil {
			return Topic{}, bad
		}
	}
	return out, nil
}

var leafTypes = map[string]string{
	"up/birth": TypeBirth, "up/death": TypeDeath, "up/state": TypeState, "up/rec": TypeRecords, "up/live": TypeLive,
	"up/hello": TypeHello, "up/applied": TypeApplied, "up/fetch": TypeFetch, "up/result": TypeResult,
	"dn/ack": TypeAck, "dn/key": TypeKey, "dn/delta": TypeDelta, "dn/urgent": TypeUrgent,
	"dn/snapshot": TypeSnapshot, "dn/piece": TypePiece, "dn/cmd": TypeCommand,
}

package wire

import (
	"testing"
)

func TestTopicsComeBack(t *testing.T) {
	for topic, want := range map[string]Topic{
		Up("lane-1", "birth"):                {Typ: TypeBirth, Gate: "lane-1"},
		Up("lane-1", "applied"):              {Typ: TypeApplied, Gate: "lane-1"},
		UpRecords("lane-1", StreamTelemetry): {Typ: TypeRecords, Gate: "lane-1", Stream: StreamTelemetry},
		DownAck("lane-1", StreamImage):       {Typ: TypeAck, Gate: "lane-1", Stream: StreamImage},
		Down("lane-1", "delta"):              {Typ: TypeDelta, Gate: "lane-1"},
		TopicUrgent:                          {Typ: TypeUrgent},
		TopicHQ:                              {Typ: TypeHQ},
	} {
		got, err := ParseTopic(topic)
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v", topic, got, err)
		}
	}
}

func TestForeignTopicsAreRefused(t *testing.T) {
	for _, topic := range []string{
		"", "bordergate/2/hq/state", Prefix, Prefix + "up", Prefix + "up/lane-1", Prefix + "up/lane-1/",
		Prefix + "up/LANE/birth", Prefix + "up/a.b/birth", Prefix + "up/lane-1/rec", Prefix + "up/lane-1/rec/all",
		Prefix + "up/lane-1/birth/crossing", Prefix + "up/lane-1/ack/crossing", Prefix + "dn/lane-1/birth",
		Prefix + "up//birth", Prefix + "up/lane-1/rec/crossing/x", TopicHQ + "/x", Prefix + "up/+/birth",
	} {
		if got, err := ParseTopic(topic); err == nil {
			t.Errorf("%q: accepted as %+v", topic, got)
		}
	}
}

// TestEveryMessageHasItsTopic holds the list of messages to the topics.
func TestEveryMessageHasItsTopic(t *testing.T) {
	for _, k := range Kinds() {
		for _, topic := range k.Topics {
			filled := fill(topic)
			got, err := ParseTopic(filled)
			if err != nil || got.Typ != k.Typ {
				t.Errorf("%s on %s: %+v, %v", k.Typ, filled, got, err)
			}
		}
	}
}

package app

import (
	"os"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"bordergate/sync/wire"
)

// TestDocumentTellsWhatExpires holds the times in docs/asyncapi.yaml to those
// that headquarters writes.
func TestDocumentTellsWhatExpires(t *testing.T) {
	text, err := os.ReadFile("../../../docs/asyncapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Components struct {
			Messages map[string]struct {
				Expires time.Duration `yaml:"x-expires"`
			} `yaml:"messages"`
		} `yaml:"components"`
	}
	if err := yaml.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	want := map[string]time.Duration{
		wire.TypeHead:  30 * time.Second, // three of Options.HeadEvery
		wire.TypeDelta: deltaLife, wire.TypeUrgent: deltaLife, wire.TypeSnapshot: deltaLife, wire.TypeCommand: commandLife,
	}
	for name, m := range doc.Components.Messages {
		if m.Expires != want[name] {
			t.Errorf("%s: the document says %v, headquarters writes %v", name, m.Expires, want[name])
		}
	}
}

package configs

import (
	"strings"
	"testing"
)

func TestFillKeepsCommentsAndIsRead(t *testing.T) {
	values := map[string]string{
		"gate.id": "lane-7", "gate.crossing": "LC2", "gate.lane": "7", "gate.direction": "entry", "turnstile.port": "/dev/serial/by-path/pci-0:1",
		"turnstile.baud": "9600", "turnstile.profile": "lc", "cameras.document.source": "/dev/v4l/by-path/a", "cameras.face.source": `http://127.0.0.1:1/a b#c"d`,
		"scanner.dialect": "honeywell", "hq.fingerprint": strings.Repeat("12ab ", 16), "turnstile.inputs.presence": "-1", "turnstile.inputs.mains": "12", "policy.face_timeout": "5s",
	}
	text, err := FillGate(values)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(text, "#") < strings.Count(template, "#") || strings.Count(text, "\n") != strings.Count(template, "\n") {
		t.Error("comments or lines are lost")
	}
	g, faults := parseGate(strings.Replace(text, `http://127.0.0.1:1/a b#c\"d`, "http://127.0.0.1:1/a", 1))
	if err := faults.Err(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if g.Gate.ID != "lane-7" || g.Gate.Lane != "7" || g.Turnstile.Baud != 9600 || g.Turnstile.Inputs.Presence != NotWired || g.Turnstile.Inputs.Mains != 12 || g.Scanner.Dialect != "honeywell" || g.Cameras.Document.Width != 1280 {
		t.Errorf("%+v", g)
	}
	for _, path := range []string{"turnstile.puls", "turnstile", "nothing", "policy.pass_types"} {
		if _, err := FillGate(map[string]string{path: "x"}); err == nil {
			t.Errorf("%s was filled in", path)
		}
	}
	if text, err := FillGate(nil); err != nil || text != template {
		t.Errorf("nothing to fill in changes the file: %v", err)
	}
}

// TestFilledTextStaysText: whatever is answered, it is one value.
func TestFilledTextStaysText(t *testing.T) {
	for _, v := range []string{"", "true", "1", "a: b", "a, b}", "# no", `"q"`, `\`, "x\ny", "- a", "é"} {
		text, err := FillGate(map[string]string{"paths.state": v, "cameras.face.source": v})
		if err != nil {
			t.Fatal(err)
		}
		d := &document{file: "x", places: map[string]place{}}
		g := DefaultGate()
		if root := d.root([]byte(text)); root != nil {
			d.decode(root, &g)
		}
		if len(d.faults) > 0 || g.Paths.State != v || g.Cameras.Face.Source != v || g.Cameras.Face.Width != 1280 {
			t.Errorf("%q becomes %q and %q: %v", v, g.Paths.State, g.Cameras.Face.Source, d.faults)
		}
	}
}

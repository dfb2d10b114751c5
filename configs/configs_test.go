package configs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// validGate is the shipped file with its one placeholder filled in.
func validGate(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile("gate.yaml")
	if err != nil {
		t.Fatalf("read shipped file: %v", err)
	}
	return strings.ReplaceAll(string(text), strings.Repeat("0000 ", 15)+"0000", strings.Repeat("ab12 ", 16))
}

func parseGate(text string) (*Gate, Faults) {
	return parse("gate.yaml", []byte(text), DefaultGate(), checkGate)
}

func TestShippedGateLacksOnlyTheFingerprint(t *testing.T) {
	_, faults := LoadGate("gate.yaml")
	if len(faults) != 1 || faults[0].Path != "hq.fingerprint" {
		t.Fatalf("faults = %v, want the placeholder alone", faults)
	}
	c, faults := parseGate(validGate(t))
	if err := faults.Err(); err != nil {
		t.Fatalf("faults = %v, want none", err)
	}
	if c.Turnstile.Pulse != 300*time.Millisecond || c.Gate.Lane != "1" || c.Models.FMR != 1e-4 {
		t.Errorf("decoded %+v", c)
	}
}

func TestDefaultsStandWhereTheFileIsSilent(t *testing.T) {
	const least = `
version: 1
gate: {id: a, crossing: X1, lane: 1, direction: entry}
cameras: {document: {source: doc}, face: {source: "http://127.0.0.1:8081/face"}}
turnstile: {port: /dev/gate/barrier, inputs: {presence: -1}}
hq: {broker: "ssl://hq.example:8883", fingerprint: "` + "0123456789abcdef0123456789abcdef0123456789ABCDEF01:23:45:67:89:ab:cd:ef" + `"}
`
	c, faults := parseGate(least)
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	want := DefaultGate()
	want.Version, want.Gate = 1, Place{ID: "a", Crossing: "X1", Lane: "1", Direction: "entry"}
	want.Cameras.Document.Source, want.Cameras.Face.Source = "doc", "http://127.0.0.1:8081/face"
	want.Turnstile.Port, want.Turnstile.Inputs.Presence = "/dev/gate/barrier", NotWired
	want.HQ.Broker, want.HQ.Fingerprint = "ssl://hq.example:8883", c.HQ.Fingerprint
	if !reflect.DeepEqual(*c, want) {
		t.Errorf("got  %+v\nwant %+v", *c, want)
	}
}

// Each case breaks one rule of a valid file, in one place.
func TestGateRules(t *testing.T) {
	cases := map[string]struct{ from, to, path, message string }{
		"unknown key":             {"unit: 1\n", "units: 1\n", "turnstile.units", `did you mean "unit"?`},
		"unknown section":         {"trust:\n", "trusts:\n", "trusts", `did you mean "trust"?`},
		"repeated key":            {"  unit: 1\n", "  unit: 1\n  unit: 2\n", "turnstile.unit", "second time"},
		"wrong version":           {"version: 1", "version: 2", "version", "not a version"},
		"duration bare":           {"pulse: 300ms", "pulse: 300", "turnstile.pulse", "not a length of time"},
		"pulse long":              {"pulse: 300ms", "pulse: 3s", "turnstile.pulse", "out of range"},
		"poll slow":               {"poll: 20ms", "poll: 1s", "turnstile.poll", "out of range"},
		"lists":                   {"lists: off ", "lists: maybe ", "trust.lists", "none of off, when-present, required"},
		"list age short":          {"list_age: 0s ", "list_age: 1m ", "trust.list_age", "out of range"},
		"list age long":           {"list_age: 0s ", "list_age: 9000h ", "trust.list_age", "out of range"},
		"bool word":               {"pin: false", "pin: \"false\"", "trust.pin", "neither true nor false"},
		"number text":             {"unit: 1\n", "unit: one\n", "turnstile.unit", "whole number"},
		"number fraction":         {"unit: 1\n", "unit: 1.5\n", "turnstile.unit", "whole number"},
		"no value":                {"port: /dev/gate/barrier", "port:", "turnstile.port", "has no value"},
		"empty text":              {"port: /dev/gate/barrier", "port: \"\"", "turnstile.port", "is missing"},
		"device number":           {"/dev/gate/barrier", "/dev/ttyUSB0", "turnstile.port", "changes"},
		"scanner unknown":         {"dialect: none", "dialect: wedge", "scanner.dialect", "none of none, plain"},
		"scanner left open":       {"  dialect: none           # none, plain (triggers itself), honeywell, datalogic, newland or zebra\n", "", "scanner.dialect", "is missing"},
		"scanner number":          {"dialect: none           # none, plain (triggers itself), honeywell, datalogic, newland or zebra\n  port: /dev/gate/scanner", "dialect: plain\n  port: /dev/ttyACM0", "scanner.port", "changes"},
		"scanner on turnstile":    {"dialect: none           # none, plain (triggers itself), honeywell, datalogic, newland or zebra\n  port: /dev/gate/scanner", "dialect: plain\n  port: /dev/gate/barrier", "scanner.port", "turnstile's too"},
		"scanner framing":         {"dialect: none           # none, plain (triggers itself), honeywell, datalogic, newland or zebra\n  port: /dev/gate/scanner\n  baud: 115200            # USB scanners ignore it\n  framing: suffix", "dialect: plain\n  port: /dev/gate/scanner\n  framing: crlf", "scanner.framing", "none of suffix, idle"},
		"scanner foreign tag":     {"  dialect: none ", "  newland_trigger: SCNTRG\n  dialect: zebra ", "scanner.newland_trigger", "newland scanners only"},
		"scanner bad tag":         {"  dialect: none ", "  newland_trigger: \"SCN;\"\n  dialect: newland ", "scanner.newland_trigger", "form"},
		"scanner foreign packets": {"  dialect: none ", "  zebra_type_once: true\n  dialect: plain ", "scanner.zebra_type_once", "zebra scanners only"},
		"camera number":           {"/dev/v4l/by-path/face-camera", "/dev/video0", "cameras.face.source", "changes"},
		"camera twice":            {"/dev/v4l/by-path/face-camera", "/dev/v4l/by-path/document-camera", "cameras.face.source", "document camera too"},
		"camera scheme":           {"/dev/v4l/by-path/face-camera", "ftp://x/y", "cameras.face.source", "begins with none"},
		"direction":               {"direction: exit ", "direction: out ", "gate.direction", "none of entry, exit"},
		"gate id":                 {"id: lane-1", "id: Lane/1", "gate.id", "form"},
		"crossing":                {"crossing: HNG1", "crossing: hng-1", "gate.crossing", "form"},
		"fmr":                     {"fmr: 1e-4", "fmr: 1e-2", "models.fmr", "not one of"},
		"movements known":         {"movements: unchecked", "movements: known", "policy.movements", "none of unchecked, complete"},
		"pictures known":          {"images: exceptions", "images: some", "evidence.images", "none of off, exceptions, all"},
		"a small journal":         {"max_mib: 4064", "max_mib: 20", "journal.max_mib", "out of range"},
		"crossings for a day":     {"crossings: 2160h", "crossings: 24h", "journal.crossings", "out of range"},
		"pictures for ever":       {"retention: 720h", "retention: 9000h", "evidence.retention", "out of range"},
		"liveness off":            {"liveness: enforce", "liveness: off", "models.liveness", "none of enforce, observe"},
		"status open":             {"127.0.0.1:7080", "0.0.0.0:7080", "status.listen", "this machine alone"},
		"status port":             {"127.0.0.1:7080", "127.0.0.1:70800", "status.listen", "no port"},
		"screen open":             {"127.0.0.1:7081", "192.0.2.1:7081", "screen.listen", "this machine alone"},
		"screen on status":        {"127.0.0.1:7081", "127.0.0.1:7080", "screen.listen", "status page's too"},
		"screen language":         {"[vi, en, zh, lo, km]", "[vi, fr]", "screen.languages[1]", "none of vi, en, zh, lo, km"},
		"screen language twice":   {"[vi, en, zh, lo, km]", "[vi, vi]", "screen.languages[1]", "stands twice"},
		"screen without language": {"[vi, en, zh, lo, km]", "[]", "screen.languages", "names no language"},
		"screen side":             {"officer_side: right", "officer_side: up", "screen.officer_side", "none of left, right"},
		"screen start":            {"start: /run/bordergate-screen/start", "start: \"\"", "screen.start", "is missing"},
		"technician open":         {"127.0.0.1:7082", "192.0.2.1:7082", "technician.listen", "this machine alone"},
		"technician half":         {"listen: \"127.0.0.1:7082\"", "listen: \"127.0.0.1:7082\"\n  key: k.pem", "technician.cert", "belong together"},
		"technician on screen":    {"127.0.0.1:7082", "127.0.0.1:7081", "technician.listen", "screen.listen too"},
		"technician token":        {"token_file: /run/bordergate/technician.token", "token_file: \"\"", "technician.token_file", "is missing"},
		"control long":            {"/run/bordergate/gated.sock", "/run/" + strings.Repeat("x", 110), "paths.control", "longer than the 107"},
		"broker scheme":           {"ssl://hq.example:8883", "http://127.0.0.1:1883", "hq.broker", "begins with none"},
		"broker plain":            {"ssl://hq.example:8883", "tcp://hq.example:1883", "hq.broker", "without TLS"},
		"broker port":             {"ssl://hq.example:8883", "tcp://127.0.0.1", "hq.broker", "no port"},
		"broker password":         {"ssl://hq.example:8883", "tcp://user:hidden@127.0.0.1:1883", "hq.broker", "password"},
		"fingerprint":             {"ab12", "xy12", "hq.fingerprint", "not a fingerprint"},
		"pass type":               {"referral_hold: 10s", "referral_hold: 10s, pass_types: [passport]", "policy.pass_types[0]", "none of"},
		"kind laxer":              {"referral_hold: 10s", "referral_hold: 10s, kind_max_age: {foreigner: 100h}", "policy.kind_max_age.foreigner", "out of range"},
		"cache laxer":             {"cache_max_age: 72h", "cache_max_age: 73h", "policy.cache_max_age", "out of range"},
		"channel twice":           {"pass_exit: 1", "pass_exit: 0", "turnstile.inputs.pass_exit", "channel of pass_entry too"},
		"channel range":           {"presence: 8", "presence: 64", "turnstile.inputs.presence", "out of range"},
		"emergency not wired":     {"emergency: 6", "emergency: -1", "turnstile.inputs.emergency", "not wired"},
		"unlock not wired":        {"unlock_exit: 1", "unlock_exit: -1", "turnstile.outputs.unlock_exit", "not wired"},
		"anchor":                  {"id: lane-1", "id: &a lane-1", "gate.id", "anchor"},
		"list for a text":         {"id: lane-1", "id: [lane-1]", "gate.id", "single value"},
		"template keys":           {"template_keys: \"\"", "template_keys: \"a\\u0007b\"", "trust.template_keys", "control character"},
		"text for a section":      {validGate(t)[strings.Index(validGate(t), "trust:\n"):strings.Index(validGate(t), "\nhq:")], "trust: yes\n", "trust", "keys and values"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			text := validGate(t)
			if !strings.Contains(text, c.from) {
				t.Fatalf("the base does not hold %q", c.from)
			}
			gate, faults := parseGate(strings.ReplaceAll(text, c.from, c.to))
			if gate != nil || len(faults) != 1 {
				t.Fatalf("gate %v, faults %v; want exactly one", gate, faults)
			}
			f := faults[0]
			if f.Path != c.path || !strings.Contains(f.Message+" "+f.Hint, c.message) || f.Line < 2 {
				t.Errorf("fault %+v, want path %s saying %q", f, c.path, c.message)
			}
			if strings.Contains(f.Error(), "hidden") {
				t.Errorf("fault shows a password: %v", f)
			}
		})
	}
}

// Each fixture is named after the rule it breaks and says on its first line
// which faults to expect, as "# line:column path" separated by "; ".
func TestFixtures(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) < 8 {
		t.Fatalf("fixtures: %v, %v", files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			first, _, _ := strings.Cut(string(text), "\n")
			var got []string
			for _, f := range loadKind(file) {
				got = append(got, place{f.Line, f.Column, ""}.String()+" "+f.Path)
			}
			if want := strings.TrimPrefix(first, "# "); strings.Join(got, "; ") != want {
				t.Errorf("faults\n got %s\nwant %s", strings.Join(got, "; "), want)
			}
		})
	}
}

func loadKind(file string) Faults {
	base := filepath.Base(file)
	switch {
	case strings.HasPrefix(base, "hq."):
		_, faults := LoadHQ(file)
		return faults
	case strings.HasPrefix(base, "models."):
		_, err := LoadModels(file)
		var faults Faults
		errors.As(err, &faults)
		return faults
	}
	_, faults := LoadGate(file)
	return faults
}

func TestShippedHQ(t *testing.T) {
	c, faults := LoadHQ("hq.yaml")
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	if c.Listen != "ssl://0.0.0.0:8883" || len(c.Names) != 1 || c.Simulated {
		t.Errorf("decoded %+v", c)
	}
}

func TestHeadquartersListensWithTLSOrToItself(t *testing.T) {
	for listen, want := range map[string]string{
		"ssl://0.0.0.0:8883": "", "ssl://:8883": "", "127.0.0.1:0": "", "tcp://localhost:1883": "",
		"0.0.0.0:1883": "without TLS", "tcp://hq.example:1883": "without TLS", "ssl://hq.example": "not host:port", "http://127.0.0.1:80": "not host:port",
	} {
		file := filepath.Join(t.TempDir(), "hq.yaml")
		if err := os.WriteFile(file, []byte("version: 1\nlisten: \""+listen+"\"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, faults := LoadHQ(file)
		if err := faults.Err(); want == "" && err != nil || want != "" && (len(faults) != 1 || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", listen, err, want)
		}
	}
}

func TestAnotherBrokerStandsForTheListener(t *testing.T) {
	for text, want := range map[string]string{
		"broker: \"ssl://mqtt.example:8883\"":                       "",
		"broker: \"tcp://127.0.0.1:1883\"":                          "",
		"broker: \"ssl://mqtt.example:8883\"\nlisten: \"anything\"": "", // counts for nothing
		"broker: \"tcp://mqtt.example:1883\"":                       "without TLS",
		"broker: \"mqtt.example\"":                                  "is not an address",
		"broker: \"ssl://user:hidden@mqtt.example:8883\"":           "password",
	} {
		hq, faults := parse("hq.yaml", []byte("version: 1\n"+text+"\n"), DefaultHQ(), checkHQ)
		if err := faults.Err(); want == "" && (err != nil || hq == nil) || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func TestUnreadableFileIsOneFaultWithItsCause(t *testing.T) {
	_, faults := LoadGate(filepath.Join(t.TempDir(), "none.yaml"))
	if len(faults) != 1 || !errors.Is(faults, fs.ErrNotExist) || faults[0].Hint == "" {
		t.Fatalf("faults = %v", faults)
	}
	big := filepath.Join(t.TempDir(), "big.yaml")
	if err := os.WriteFile(big, make([]byte, maxFile+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, faults := LoadGate(big); len(faults) != 1 || !strings.Contains(faults[0].Message, "longer") {
		t.Fatalf("faults = %v", faults)
	}
}

func TestFaultListIsBounded(t *testing.T) {
	var b strings.Builder
	for i := range 3 * maxFaults {
		b.WriteString(strings.Repeat("k", i+1) + ": 1\n")
	}
	if _, faults := parseGate(b.String()); len(faults) != maxFaults {
		t.Fatalf("%d faults, want %d", len(faults), maxFaults)
	}
}

// FuzzLoad holds that no text makes a load panic, that a load gives either a
// configuration or faults, and that each fault names its file and a line.
func FuzzLoad(f *testing.F) {
	f.Add(validGate(f))
	for _, pattern := range []string{"*.yaml", "testdata/*.yaml"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(string(text))
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		gate, faults := parseGate(text)
		checkEither(t, gate != nil, faults)
		hq, faults := parse("hq.yaml", []byte(text), DefaultHQ(), checkHQ)
		checkEither(t, hq != nil, faults)
		models, faults := parse("models.yaml", []byte(text), Models{}, checkModels)
		checkEither(t, models != nil, faults)
		cal, faults := parse("calibration.yaml", []byte(text), Calibration{}, checkCalibration)
		checkEither(t, cal != nil, faults)
	})
}

func checkEither(t *testing.T, loaded bool, faults Faults) {
	t.Helper()
	if loaded == (len(faults) > 0) {
		t.Fatalf("loaded %v with faults %v", loaded, faults)
	}
	for _, f := range faults {
		if f.File == "" || f.Line < 1 || f.Message == "" || len(f.Value) > maxShown+len("…") {
			t.Fatalf("poor fault %+v", f)
		}
	}
}

package main

import (
	"encoding/json"
	"strings"
	"testing"

	"bordergate/cmd/gatectl/doctor"
)

// doctorOf reads the lines of an examination.
func doctorOf(t *testing.T, args ...string) (map[string]doctor.Check, outcome) {
	t.Helper()
	got := gatectl(t, append([]string{"doctor", "--json"}, args...)...)
	out := map[string]doctor.Check{}
	for line := range strings.SplitSeq(strings.TrimSpace(got.out), "\n") {
		var c doctor.Check
		if err := json.Unmarshal([]byte(line), &c); err != nil {
			t.Fatalf("%v: %q %s", err, line, got.err)
		}
		if c.Check == "" || !c.OK && (c.Hint == "" || c.Detail == "") {
			t.Errorf("poor line %s", line)
		}
		out[c.Check] = c
	}
	return out, got
}

func TestDoctorAsksARunningGateForItsDevices(t *testing.T) {
	config := stoppedGate(t)
	runningGate(t, config, map[string]string{
		"GET /v1/status":      `{"faults":[],"lane":{"state":"ready"},"clock":"synchronised"}`,
		"GET /v1/diagnostics": `{"software":"` + version() + `"}`,
		"GET /v1/devices":     `[{"name":"turnstile","ok":true,"age_ms":12},{"name":"face_camera","ok":false,"error":"no frame for 2 s","age_ms":-1}]`,
	})
	checks, got := doctorOf(t, "--config", config)
	if got.status != exitNegative || !checks["turnstile"].OK || !strings.Contains(checks["turnstile"].Detail, "12 ms old") {
		t.Errorf("status %d, turnstile %+v", got.status, checks["turnstile"])
	}
	if c := checks["face_camera"]; c.OK || c.Detail != "no frame for 2 s" || !strings.Contains(c.Hint, "check its plug") {
		t.Errorf("face camera %+v", c)
	}
	if !checks["gated"].OK || !checks["versions"].OK || !checks["clock"].OK || !checks["journal"].OK {
		t.Errorf("%+v", checks)
	}
}

func TestDoctorOfABrokenFileNamesItsFaults(t *testing.T) {
	checks, got := doctorOf(t, "--config", "../../configs/testdata/gate.twenty-faults.yaml")
	if got.status != exitNegative || strings.Count(got.out, "\n") != 20 || checks["config"].OK {
		t.Errorf("status %d\n%s", got.status, got.out)
	}
	if got := gatectl(t, "doctor", "--config", "nowhere.yaml"); got.status != exitUnable {
		t.Errorf("%+v", got)
	}
}

func TestLogLevel(t *testing.T) {
	config := stoppedGate(t)
	if got := gatectl(t, "log", "level", "link", "debug", "--config", config); got.status != exitUnable || !strings.Contains(got.err, "does not run") {
		t.Errorf("%+v", got)
	}
	runningGate(t, config, map[string]string{
		"GET /v1/log/level": `{"level":"info","known":["link"]}`,
		"POST /v1/log/level?for=5m0s&level=debug&part=link": `{"level":"info","parts":[{"part":"link","level":"debug","for_s":300}]}`,
		"GET /v1/log": `["a","b"]`,
	})
	if got := gatectl(t, "log", "level", "link", "debug", "--for", "5m", "--config", config); got.status != exitDone || got.out != "all: info\nlink: debug, for 5m0s more\n" {
		t.Errorf("%+v", got)
	}
	if got := gatectl(t, "log", "level", "--config", config); got.status != exitDone || got.out != "all: info\n" {
		t.Errorf("%+v", got)
	}
	if got := gatectl(t, "log", "show", "--config", config); got.status != exitDone || got.out != "a\nb\n" {
		t.Errorf("%+v", got)
	}
}

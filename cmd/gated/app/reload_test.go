package app

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"bordergate/configs"
	"bordergate/sync/journal"
	"bordergate/sync/wire"
)

// fileOf writes a gate's configuration as a file.
func fileOf(t *testing.T, c *configs.Gate) string {
	t.Helper()
	out := *c
	out.Version = 1
	text, err := yaml.Marshal(out)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "gate.yaml")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// reloadRig is a gate that works by a file.
type reloadRig struct {
	*App
	cfg  *configs.Gate
	logs *Logs
	out  bytes.Buffer
}

func newReloadRig(t *testing.T) *reloadRig {
	t.Helper()
	r := &reloadRig{cfg: goodStation(t)}
	r.cfg.Version = 1
	r.logs = NewLogs(&r.out)
	r.App = New(r.cfg, r.logs.Logger())
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	if len(r.Faults()) > 0 {
		t.Fatal(r.Faults())
	}
	return r
}

func (r *reloadRig) reload(t *testing.T, change func(*configs.Gate)) ReloadStatus {
	t.Helper()
	c := *r.cfg
	change(&c)
	return r.Reload(fileOf(t, &c))
}

func TestReloadOfTheSameFileChangesNothing(t *testing.T) {
	r := newReloadRig(t)
	before := r.digest()
	if st := r.reload(t, func(*configs.Gate) {}); !st.OK || len(st.Taken) > 0 || r.digest() != before {
		t.Errorf("%+v", st)
	}
}

func TestReloadTakesUpAndRefuses(t *testing.T) {
	r := newReloadRig(t)
	before := r.digest()
	st := r.reload(t, func(c *configs.Gate) {
		c.Policy.CacheMaxAge, c.Models.FMR, c.Evidence.Images, c.Log.Level = 24*time.Hour, 1e-5, "off", "debug"
		c.Journal.Crossings, c.Turnstile.Pulse, c.Policy.PassTypes = 200*time.Hour, 500*time.Millisecond, []string{"border_pass"}
	})
	if st.OK || len(st.Taken) != 6 || len(st.Refused) != 1 || st.Refused[0].Path != "turnstile.pulse" || !strings.Contains(st.Refused[0].Why, "restart needed") {
		t.Fatalf("%+v", st)
	}
	p := r.rules.Policy()
	if p.CacheMaxAge != 24*time.Hour || len(p.PassTypes) != 1 || r.rules.FMR() != 1e-5 {
		t.Errorf("the lane's rules are %+v, FMR %v", p, r.rules.FMR())
	}
	if r.recorder.evidence.images() != "off" || !r.logs.enabled("link", slog.LevelDebug) {
		t.Error("pictures or log are as before")
	}
	if keep, _ := keptFor(r.settings()); keep[1] != 200*time.Hour || r.settings().Turnstile.Pulse != 300*time.Millisecond {
		t.Errorf("settings %+v", r.settings())
	}
	if r.digest() == before {
		t.Error("headquarters is told of the old settings")
	}
	if s := r.Status(); s.Reload == nil || s.Reload.OK || len(s.Reload.Refused) != 1 {
		t.Errorf("status %+v", s.Reload)
	}
	rec := r.lastRecord(t)
	if !strings.Contains(rec, `"refused":["turnstile.pulse"]`) || !strings.Contains(rec, `"path":"policy.cache_max_age"`) {
		t.Errorf("record %s", rec)
	}
	if log := r.out.String(); !strings.Contains(log, `msg="Setting is not taken up" key=turnstile.pulse`) {
		t.Errorf("log:\n%s", log)
	}
	// What was taken up stays the measure: back to laxer needs a restart.
	if st := r.reload(t, func(*configs.Gate) {}); st.OK || r.rules.Policy().CacheMaxAge != 24*time.Hour {
		t.Errorf("laxer again: %+v", st)
	}
}

// lastRecord is the newest alarm's public part.
func (r *reloadRig) lastRecord(t *testing.T) string {
	t.Helper()
	if err := r.journal.Advance("settled", 1); err != nil { // everything before it is on the disk
		t.Fatal(err)
	}
	raws, err := r.journal.Tail(wire.StreamAlarm, 1)
	if err != nil || len(raws) != 1 {
		t.Fatal(err)
	}
	line, err := journal.NewLine(raws[0], nil)
	if err != nil || line.Kind != KindReload {
		t.Fatalf("%+v, %v", line, err)
	}
	return string(line.Public)
}

// TestReloadKeepsTheLastGood: nothing of a file with a fault is taken up, good
// as the rest of it may be.
func TestReloadKeepsTheLastGood(t *testing.T) {
	r := newReloadRig(t)
	for name, path := range map[string]string{
		"a fault": fileOf(t, func() *configs.Gate {
			c := *r.cfg
			c.Policy.CacheMaxAge, c.Turnstile.Unit = time.Hour, 999
			return &c
		}()),
		"no file":  "/nowhere/gate.yaml",
		"a folder": t.TempDir(),
	} {
		st := r.Reload(path)
		if st.OK || len(st.Faults) == 0 || len(st.Taken) > 0 || r.settings() != r.live.Load().cfg || r.settings().Policy.CacheMaxAge != 72*time.Hour {
			t.Errorf("%s: %+v", name, st)
		}
		if rec := r.lastRecord(t); !strings.Contains(rec, `"faults":1`) {
			t.Errorf("%s: record %s", name, rec)
		}
	}
	st := r.reload(t, func(c *configs.Gate) { c.Models.FMR, c.Policy.CacheMaxAge = 1e-6, time.Hour })
	if _, known := r.matcher.model.Limits.At(1e-6, minFrames); !known && (len(st.Faults) != 1 || r.settings().Policy.CacheMaxAge != 72*time.Hour) {
		t.Errorf("without a threshold: %+v", st)
	}
}

func TestABrokenGateIsNotReloaded(t *testing.T) {
	a := newBroken(looseGate(), configs.Faults{{File: "gate.yaml", Message: "is empty"}}, slog.New(slog.DiscardHandler))
	defer a.Close()
	if st := a.Reload(fileOf(t, goodStation(t))); st.OK || !strings.Contains(fmt.Sprint(st.Faults), "restart needed") {
		t.Errorf("%+v", st)
	}
}

// TestCareOverTheSocket asks what a technician asks.
func TestCareOverTheSocket(t *testing.T) {
	r := newReloadRig(t)
	ask := func(method, target string) (int, string) {
		w := httptest.NewRecorder()
		r.control.http.Handler.ServeHTTP(w, httptest.NewRequest(method, target, http.NoBody))
		return w.Code, w.Body.String()
	}
	for target, want := range map[string]string{
		"GET /v1/config": r.digest().config, "GET /v1/devices": `"name": "turnstile"`, "GET /v1/metrics": "bordergate_faults 0",
		"GET /v1/diagnostics": `"goroutines"`, "GET /v1/log": "[", "GET /v1/log/level": `"level": "info"`,
		"POST /v1/log/level?part=link&level=debug&for=10m": `"part": "link"`,
	} {
		method, path, _ := strings.Cut(target, " ")
		code, body := ask(method, path)
		if code != http.StatusOK || !strings.Contains(body, want) || !json.Valid([]byte(body)) && path != "/v1/metrics" {
			t.Errorf("%s: %d %.300s", target, code, body)
		}
	}
	if !r.logs.enabled("link", slog.LevelDebug) || r.logs.enabled("journal", slog.LevelDebug) {
		t.Error("the level is not the part's")
	}
	for target, want := range map[string]string{
		"part=lnk&level=debug&for=10m": "link", "part=link&level=loud&for=10m": "debug, info", "part=link&level=debug&for=99h": "between", "part=link&level=debug": "between",
	} {
		if code, body := ask(http.MethodPost, "/v1/log/level?"+target); code != http.StatusBadRequest || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s", target, code, body)
		}
	}
	if code, _ := ask(http.MethodGet, "/v1/log/level?part=link&level=debug&for=1h"); code != http.StatusOK || !strings.Contains(fmt.Sprint(r.logs.Levels()), "link") {
		t.Error("reading has changed something")
	}
}

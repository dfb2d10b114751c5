package app

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// care adds to the control socket what a technician needs to look after the
// gate. All of it reads, but for the level of the log, which opens nothing and
// runs out.
func (c *control) care(mux *http.ServeMux) {
	a := c.app
	mux.HandleFunc("GET /v1/config", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, a.configStatus()) })
	mux.HandleFunc("GET /v1/diagnostics", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, a.diagnostics()) })
	mux.HandleFunc("GET /v1/devices", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, a.deviceChecks()) })
	mux.HandleFunc("POST /v1/selftest", c.selftest)
	mux.HandleFunc("GET /v1/metrics", a.serveMetrics)
	mux.HandleFunc("GET /v1/transactions/{id}", c.withJournal(c.transaction))
	mux.HandleFunc("GET /v1/log", c.withLogs(c.log))
	mux.HandleFunc("GET /v1/log/level", c.withLogs(c.levels))
	mux.HandleFunc("POST /v1/log/level", c.withLogs(c.setLevel))
}

// withLogs serves what needs the daemon's own log.
func (c *control) withLogs(do func(w http.ResponseWriter, r *http.Request, l *Logs)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		l := logsOf(c.app.log)
		if l == nil {
			refuse(w, http.StatusNotFound, "this gate's log has no levels to set")
			return
		}
		do(w, r, l)
	}
}

// log gives the last lines of the log, which name nobody.
func (c *control) log(w http.ResponseWriter, _ *http.Request, l *Logs) {
	writeJSON(w, l.Last())
}

func (c *control) levels(w http.ResponseWriter, _ *http.Request, l *Logs) {
	writeJSON(w, l.Levels())
}

// setLevel sets the level of one part for a time.
func (c *control) setLevel(w http.ResponseWriter, r *http.Request, l *Logs) {
	q := r.URL.Query()
	part := q.Get("part")
	if !slices.Contains(l.knownParts(), part) {
		refuse(w, http.StatusBadRequest, fmt.Sprintf("no part %.40q: %s", part, strings.Join(l.knownParts(), ", ")))
		return
	}
	v, err := parseLevel(q.Get("level"))
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	hold, err := time.ParseDuration(q.Get("for"))
	if err != nil || hold < 0 || hold > maxPartTime {
		refuse(w, http.StatusBadRequest, fmt.Sprintf("for how long is not between 0 and %v: such as 10m", maxPartTime))
		return
	}
	l.SetPart(part, v, hold)
	c.app.log.Info("Level of a part's log is set", "of", part, "level", levelWord(v), "for", hold)
	writeJSON(w, l.Levels())
}

// DeviceCheck is one device as its driver last found it: the driver owns the
// line, so nobody else may ask it.
type DeviceCheck struct {
	Device
	AgeMS  float64 `json:"age_ms"` // of the newest sign of life; -1: none yet
	Detail string  `json:"detail,omitempty"`
}

func (a *App) deviceChecks() []DeviceCheck {
	out := []DeviceCheck{}
	for _, d := range a.Status().Devices {
		out = append(out, DeviceCheck{Device: d, AgeMS: -1})
	}
	for i := range out {
		switch d := &out[i]; d.Name {
		case "turnstile":
			s := a.barrier.dev.Snapshot()
			newest := int64(0)
			for _, in := range s.Inputs {
				newest = max(newest, int64(in.At))
			}
			d.aged(newest)
			d.Detail = fmt.Sprintf("events lost %d", s.Lost)
		case "document_camera":
			a.eyes[0].check(d)
		case "face_camera":
			a.eyes[1].check(d)
		case "scanner":
			h := a.scanner.dev.Health()
			d.aged(int64(max(h.Heard, h.Answered)))
			d.Detail = fmt.Sprintf("scans %d, spoilt %d", h.Scans, h.Spoilt)
		}
	}
	return out
}

func (d *DeviceCheck) aged(at int64) {
	if at > 0 {
		d.AgeMS = float64(monoNow()-at) / 1e6
	}
}

// check adds what the camera's worker last said of it.
func (e *eye) check(d *DeviceCheck) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if h := e.health; h != nil {
		d.AgeMS = float64(h.AgeMillis)
		d.Detail = fmt.Sprintf("%dx%d at %.1f frames a second", h.Width, h.Height, h.FPS)
		if h.Dark {
			d.Detail += ", dark"
		}
	}
}

package app

import (
	"bytes"
	"log/slog"
	"maps"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"bordergate/gate"
	"bordergate/gate/reason"
	"bordergate/sync/vault"
)

// stepBounds are the upper ends of the buckets of a step's time, seconds: fine
// where the machine works, coarse where people walk.
var stepBounds = []float64{.01, .02, .05, .1, .2, .3, .5, .75, 1, 1.5, 2, 3, 5, 8, 15, 30, 60}

// counts are how transactions end. They know outcomes, reasons and times, and
// nothing of a person.
type counts struct {
	mu       sync.Mutex
	outcomes map[reason.Outcome]uint64
	reasons  map[reason.Reason]uint64
	steps    map[string]*stepTimes
	grants   uint64
}

// stepTimes is the histogram of one step.
type stepTimes struct {
	buckets []uint64 // not added up
	count   uint64
	sum     float64
}

// measured are the steps that have a histogram.
var measured = []string{
	gate.StepSymbolDecoded, gate.StepSealVerified, gate.StepFirstUsable, gate.StepLiveness, gate.StepMatch, gate.StepVerdict,
	gate.StepJournaled, gate.StepGrantSent, gate.StepPassageStarted, gate.StepPassageCompleted, gate.StepReady,
}

func newCounts() *counts {
	t := &counts{outcomes: map[reason.Outcome]uint64{}, reasons: map[reason.Reason]uint64{}, steps: map[string]*stepTimes{}}
	for _, s := range measured {
		t.steps[s] = &stepTimes{buckets: make([]uint64, len(stepBounds)+1)}
	}
	return t
}

// ended counts a transaction.
func (t *counts) ended(v gate.View) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.outcomes[v.Outcome]++
	for _, r := range v.Reasons {
		t.reasons[r]++
	}
	if v.Granted {
		t.grants++
	}
	for name, us := range v.Steps {
		h, s := t.steps[name], float64(us)/1e6
		if h == nil {
			continue
		}
		i, _ := slices.BinarySearch(stepBounds, s)
		h.buckets[i]++
		h.count++
		h.sum += s
	}
}

// exposition writes OpenMetrics 1.0, or with old the text format 0.0.4 that it
// came from; they differ in the names of counters' families and in the end.
type exposition struct {
	b    bytes.Buffer
	old  bool
	name string
	kind string
}

func (x *exposition) family(name, kind, help string) {
	x.name, x.kind = name, kind
	shown := name
	switch {
	case x.old && kind == "counter":
		shown += "_total"
	case x.old && kind == "info":
		shown, kind = shown+"_info", "gauge"
	}
	x.b.WriteString("# HELP " + shown + " " + help + "\n# TYPE " + shown + " " + kind + "\n")
}

// add writes one sample; labels are names and values in turn.
func (x *exposition) add(v float64, labels ...string) {
	x.sample(map[string]string{"counter": "_total", "info": "_info"}[x.kind], v, labels...)
}

func (x *exposition) sample(suffix string, v float64, labels ...string) {
	x.b.WriteString(x.name + suffix)
	for i := 0; i+1 < len(labels); i += 2 {
		x.b.WriteByte("{,"[min(i, 1)])
		x.b.WriteString(labels[i] + `="` + labelEscaper.Replace(labels[i+1]) + `"`)
	}
	if len(labels) > 0 {
		x.b.WriteByte('}')
	}
	x.b.WriteString(" " + strconv.FormatFloat(v, 'g', -1, 64) + "\n")
}

var labelEscaper = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// is is 1 for true.
func is(v bool) float64 {
	if v {
		return 1
	}
	return 0
}

// one is a family of one sample.
func (x *exposition) one(name, kind, help string, v float64) {
	x.family(name, kind, help)
	x.add(v)
}

const (
	openMetricsType = "application/openmetrics-text; version=1.0.0; charset=utf-8"
	textType        = "text/plain; version=0.0.4; charset=utf-8"
)

func (a *App) serveMetrics(w http.ResponseWriter, r *http.Request) {
	x := &exposition{old: !strings.Contains(r.Header.Get("Accept"), "application/openmetrics-text")}
	a.expose(x)
	kind := textType
	if !x.old {
		x.b.WriteString("# EOF\n")
		kind = openMetricsType
	}
	w.Header().Set("Content-Type", kind)
	_, _ = w.Write(x.b.Bytes()) // the reader has gone: nothing to tell him
}

// expose writes every family. The labels' values are words of the code, never
// of a person or a message.
func (a *App) expose(x *exposition) {
	s := a.Status()
	x.family("bordergate_build", "info", "The program that runs; always 1.")
	x.add(1, "version", version(), "go", runtime.Version())
	x.one("bordergate_start_time_seconds", "gauge", "When the daemon was started, Unix time.", float64(a.started.Unix()))
	x.one("bordergate_simulated", "gauge", "1 on a simulated gate.", is(s.Simulated))
	x.one("bordergate_faults", "gauge", "Faults that keep the gate closed.", float64(len(s.Faults)))
	x.one("bordergate_lane_out_of_service", "gauge", "1 while the lane serves no travellers.", is(outOfService(s.Lane.State)))
	x.family("bordergate_lane_state", "gauge", "1 for the state that the lane is in.")
	for _, st := range gate.States() {
		x.add(is(st.String() == s.Lane.State), "state", st.String())
	}
	a.exposeTransactions(x)
	a.exposeDevices(x, s)
	a.exposeJournal(x)
	a.exposeHQ(x)
	a.exposeMachine(x)
}

// outOfService reports whether a state serves nobody by itself.
func outOfService(state string) bool {
	return slices.Contains([]string{
		gate.Closed.String(), gate.OutOfService.String(), gate.Maintenance.String(), gate.Emergency.String(),
	}, state)
}

func (a *App) exposeTransactions(x *exposition) {
	t := a.tally
	t.mu.Lock()
	defer t.mu.Unlock()
	x.family("bordergate_transactions", "counter", "Transactions that ended, by outcome.")
	for _, o := range reason.Outcomes() {
		x.add(float64(t.outcomes[o]), "outcome", o.String())
	}
	x.family("bordergate_transaction_reasons", "counter", "Reasons of transactions that ended; those that must look like any other referral are hidden ones.")
	hidden := uint64(0)
	for _, r := range reason.Reasons() {
		if r.Hidden() {
			hidden += t.reasons[r]
			continue
		}
		x.add(float64(t.reasons[r]), "reason", r.String())
	}
	x.add(float64(hidden), "reason", "hidden")
	x.one("bordergate_grants", "counter", "Transactions in which the turnstile was told to let one person through.", float64(t.grants))
	x.family("bordergate_step_seconds", "histogram", "Time from presence until a step of a transaction.")
	for _, name := range measured {
		h := t.steps[name]
		sum := uint64(0)
		for i, n := range h.buckets {
			sum += n
			le := "+Inf"
			if i < len(stepBounds) {
				le = strconv.FormatFloat(stepBounds[i], 'g', -1, 64)
				if !strings.Contains(le, ".") {
					le += ".0"
				}
			}
			x.sample("_bucket", float64(sum), "step", name, "le", le)
		}
		x.sample("_sum", h.sum, "step", name)
		x.sample("_count", float64(h.count), "step", name)
	}
}

func (a *App) exposeDevices(x *exposition, s Status) {
	x.family("bordergate_device_up", "gauge", "1 while a device does its work.")
	checks := a.deviceChecks()
	for _, d := range checks {
		x.add(is(d.OK), "device", d.Name)
	}
	x.family("bordergate_device_silence_seconds", "gauge", "Age of a device's newest sign of life: a poll of the turnstile, a camera's frame.")
	for _, d := range checks {
		if d.AgeMS >= 0 && d.Name != "scanner" { // which says nothing while nobody shows a pass
			x.add(d.AgeMS/1000, "device", d.Name)
		}
	}
	x.family("bordergate_worker_starts", "counter", "Times that a camera's worker became ready.")
	for _, d := range checks {
		if d.Starts > 0 {
			x.add(float64(d.Starts), "device", d.Name)
		}
	}
	if a.barrier != nil {
		x.one("bordergate_turnstile_events_lost", "counter", "Levels of the turnstile that were replaced before the lane took them.", float64(a.barrier.dev.Snapshot().Lost))
	}
	if f := s.Faces; f != nil {
		x.one("bordergate_face_frames", "counter", "Frames with a face.", float64(f.Faces))
		x.one("bordergate_face_frames_usable", "counter", "Frames with a face good enough to compare.", float64(f.Usable))
		x.one("bordergate_face_drifting", "gauge", "Measures of the face camera that have moved.", float64(len(f.Drifting)))
	}
}

func (a *App) exposeJournal(x *exposition) {
	if a.journal == nil {
		x.one("bordergate_journal_up", "gauge", "1 while records can be written.", 0)
		return
	}
	x.one("bordergate_journal_up", "gauge", "1 while records can be written.", is(a.journal.Err() == nil))
	x.family("bordergate_journal_queue", "gauge", "Records that headquarters has not acknowledged.")
	for _, r := range a.journal.Ranges() {
		x.add(float64(r.Next-1-r.Acked), "stream", r.Name)
	}
	x.family("bordergate_journal_fill_ratio", "gauge", "How full a stream's room is; at 0.95 of crossings or alarms nobody is admitted.")
	for _, f := range a.journal.Fills() {
		x.add(float64(f.Percent())/100, "stream", f.Stream.String())
	}
}

func (a *App) exposeHQ(x *exposition) {
	if a.hq != nil {
		l := a.hq.gate.Status()
		x.one("bordergate_hq_connected", "gauge", "1 while the way to headquarters is open.", is(l.Connected))
		x.one("bordergate_hq_catching_up", "gauge", "1 while decisions missed are being applied.", is(l.CatchingUp))
		x.family("bordergate_hq_events", "counter", "What the link to headquarters counted, by cause.")
		for _, cause := range slices.Sorted(maps.Keys(l.Counters)) {
			x.add(float64(l.Counters[cause]), "cause", cause)
		}
	}
	if a.replica == nil {
		return
	}
	if t, ok := a.replica.Fresh(); ok {
		x.one("bordergate_accounts_age_seconds", "gauge", "How old the accounts are.", time.Since(t).Seconds())
	}
	x.one("bordergate_accounts_max_age_seconds", "gauge", "Age from which travellers are referred.", a.maxAge().Seconds())
	x.one("bordergate_policy_version", "gauge", "Version of headquarters' policy; 0 for none.", a.policyVersion())
}

// maxAge is the age of the cache from which the lane refers everybody.
func (a *App) maxAge() time.Duration {
	if r := a.rules.now.Load(); r != nil {
		return r.policy.CacheMaxAge
	}
	return a.settings().Policy.CacheMaxAge
}

func (a *App) policyVersion() float64 {
	if r := a.rules.now.Load(); r != nil {
		return float64(r.policy.Version)
	}
	return 0
}

func (a *App) exposeMachine(x *exposition) {
	_, trust, _ := a.clock.Wall()
	x.family("bordergate_clock_trust", "gauge", "1 for how far the clock is trusted.")
	for _, t := range []gate.ClockTrust{gate.ClockBad, gate.ClockPlausible, gate.ClockHeldOver, gate.ClockSynced} {
		x.add(is(t == trust), "level", clockWord(t))
	}
	var disk unix.Statfs_t
	if unix.Statfs(a.cfg.Paths.State, &disk) == nil {
		x.one("bordergate_disk_free_bytes", "gauge", "Room below paths.state.", float64(disk.Bavail)*float64(disk.Bsize))
		x.one("bordergate_disk_size_bytes", "gauge", "Size of the disk below paths.state.", float64(disk.Blocks)*float64(disk.Bsize))
	}
	if a.identity != nil {
		if c, err := vault.Certificate(a.cfg.Paths.Identity); err == nil {
			x.one("bordergate_certificate_end_time_seconds", "gauge", "When the gate's certificate ends, Unix time.", float64(c.NotAfter.Unix()))
		}
	}
	if r := a.reloaded.Load(); r != nil {
		x.one("bordergate_reload_success", "gauge", "1 where the last reload of the configuration took up all of it.", is(r.OK))
	}
	if l := logsOf(a.log); l != nil {
		x.family("bordergate_log_lines", "counter", "Lines of the log, by level.")
		for _, v := range []slog.Level{slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
			x.add(float64(l.lines(v)), "level", levelWord(v))
		}
	}
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	x.one("bordergate_heap_bytes", "gauge", "Memory that is in use.", float64(mem.HeapAlloc))
	x.one("bordergate_goroutines", "gauge", "Goroutines of the daemon.", float64(runtime.NumGoroutine()))
}

package report

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"

	"bordergate/cmd/gatesim/scenario"
	"bordergate/gate/reason"
)

// Traveller is one traveller's line in the report.
type Traveller struct {
	N          int                `json:"n"`
	Case       string             `json:"case"`
	Expected   scenario.Expect    `json:"expected"`
	Outcome    string             `json:"outcome"`
	Reasons    []reason.Reason    `json:"reasons"`
	Notices    []string           `json:"notices,omitempty"`
	AsExpected bool               `json:"as_expected"`
	StepsMS    map[string]float64 `json:"steps_ms"`
	MachineMS  float64            `json:"machine_ms"` // 0 for whoever was not admitted
	TotalMS    float64            `json:"total_ms"`   // 0 for whoever did not pass

	// Beyond the contract.
	GrantMS     float64  `json:"grant_ms"`      // both truly in view to the grant at the board
	ReadyMS     float64  `json:"ready_ms"`      // passage completed to ready
	FaceMS      float64  `json:"face_ms"`       // face truly usable to match and liveness decided; 0 where the pass was read later
	Faults      []string `json:"faults"`        // why not as expected
	Unlocks     int      `json:"board_unlocks"` // unlock pulses in the board's log
	Tx          string   `json:"tx"`
	Fumble      string   `json:"fumble,omitempty"`
	Moment      string   `json:"moment,omitempty"`
	Reader      string   `json:"reader,omitempty"` // where he showed his pass; empty for the document camera
	Holder      string   `json:"holder"`           // whose pass
	Face        string   `json:"face"`             // who was filmed
	FacesSource string   `json:"faces_source"`
	Recapture   bool     `json:"recapture"` // the enrolled photograph itself was filmed
	Score       float64  `json:"score,omitempty"`
	Reference   string   `json:"reference,omitempty"` // whose he was compared with, by his record: cache or pass
	Liveness    string   `json:"liveness,omitempty"`

	// Alarms are the gate's own while he was there, each once.
	Alarms []string `json:"alarms,omitempty"`
	// Struck is what was broken while he was there.
	Struck []scenario.Fault `json:"struck,omitempty"`

	Arrived    int64 `json:"-"` // CLOCK_MONOTONIC ns
	FaceUsable int64 `json:"-"` // the first usable frame went out, CLOCK_MONOTONIC ns
}

// notLive reports whether he was taken for a picture, or nobody could say.
func (t *Traveller) notLive() bool {
	return t.Expected.Outcome == reason.Admitted &&
		(slices.Contains(t.Reasons, reason.LivenessAttack) || slices.Contains(t.Reasons, reason.LivenessUndecided))
}

// Spread is the distribution of a time in milliseconds. With fewer than 300
// values only the median and the maximum mean something.
type Spread struct {
	N   int     `json:"n"`
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// Few is the number of values below which percentiles say nothing.
const Few = 300

// SpreadOf sorts and reads off values by the nearest-rank method.
func SpreadOf(v []float64) Spread {
	if len(v) == 0 {
		return Spread{}
	}
	v = slices.Sorted(slices.Values(v))
	at := func(p float64) float64 { return v[min(max(int(math.Ceil(p*float64(len(v))))-1, 0), len(v)-1)] }
	return Spread{N: len(v), P50: at(0.50), P95: at(0.95), P99: at(0.99), Max: v[len(v)-1]}
}

// Summary sums a run up.
type Summary struct {
	Travellers int `json:"travellers"`
	AsExpected int `json:"as_expected"`
	Admitted   int `json:"admitted"`
	Referred   int `json:"referred"`
	Refused    int `json:"refused"`
	Abandoned  int `json:"abandoned"`
	Other      int `json:"other"`
	// NotLive counts who should have been admitted and was referred for
	// liveness: nobody holds up a picture there.
	NotLive   int    `json:"referred_for_liveness"`
	MachineMS Spread `json:"machine_ms"`
	TotalMS   Spread `json:"total_ms"`
	GrantMS   Spread `json:"grant_ms"`
	ReadyMS   Spread `json:"ready_ms"`
	FaceMS    Spread `json:"face_ms"`
}

// Records says how the gate's journal and headquarters' store compare.
type Records struct {
	Journal    int `json:"journal"`
	HQ         int `json:"hq"`
	Missing    int `json:"missing"`     // in the journal, not at headquarters
	Doubled    int `json:"doubled"`     // more than once at headquarters
	Unknown    int `json:"unknown"`     // at headquarters, not in the journal
	Unmatched  int `json:"unmatched"`   // transactions whose record says otherwise than what was seen
	NotDurable int `json:"not_durable"` // grants on the board without a decision record before them
}

// Whole tells that there are records and that none is lost, doubled, contradicted or late.
func (c Records) Whole() bool {
	return c.Journal > 0 && c.Missing+c.Doubled+c.Unknown+c.Unmatched+c.NotDurable == 0
}

// Report is the document of one run.
type Report struct {
	Simulated  bool        `json:"simulated"`
	Travellers []Traveller `json:"travellers"`
	Summary    Summary     `json:"summary"`

	OK           bool           `json:"ok"`
	Scenario     string         `json:"scenario"`
	Seed         uint64         `json:"seed"`
	Timing       map[string]any `json:"timing_ms"`
	FacesSources map[string]int `json:"faces_sources"`
	Liveness     string         `json:"liveness"`
	Notes        []string       `json:"notes"`
	CPUSeconds   CPU            `json:"cpu_seconds"`
	Records      Records        `json:"records"`
	Board        Board          `json:"board"`
	Searched     Searched       `json:"searched_for_personal_data"`
	Machine      map[string]any `json:"machine,omitempty"`
	Faults       []string       `json:"faults"` // of the run, beside the travellers' own
	SetupSeconds float64        `json:"setup_seconds"`
}

// Board is what the input and output board has seen of the driver.
type Board struct {
	Requests int `json:"requests"` // whole requests
	Noise    int `json:"noise"`    // bytes of no request
}

// Searched says where personal data of travellers was looked for: in each log,
// and in each file of a support bundle. What was found is a fault of the run.
type Searched struct {
	Files   int `json:"files"`
	Secrets int `json:"secrets"` // names, numbers, accounts, templates, beginnings of pictures
}

// CPU is what the simulator itself used, in seconds.
type CPU struct {
	Setup      float64 `json:"setup"`      // drawing and encoding, before anybody came
	Travellers float64 `json:"travellers"` // while travellers went
}

// Finish fills the summary and decides whether the run went well.
func (r *Report) Finish() {
	r.Simulated = true
	s := Summary{Travellers: len(r.Travellers)}
	var machine, total, grant, ready, face []float64
	for _, t := range r.Travellers {
		if t.AsExpected {
			s.AsExpected++
		}
		if t.notLive() {
			s.NotLive++
		}
		if t.FaceMS > 0 {
			face = append(face, t.FaceMS)
		}
		switch t.Outcome {
		case reason.Admitted.String():
			s.Admitted++
			if len(t.Struck) > 0 {
				continue
			}
			machine, total = append(machine, t.MachineMS), append(total, t.TotalMS)
			grant, ready = append(grant, t.GrantMS), append(ready, t.ReadyMS)
		case reason.Referred.String():
			s.Referred++
		case reason.Refused.String():
			s.Refused++
		case reason.Abandoned.String():
			s.Abandoned++
		default:
			s.Other++
		}
	}
	s.MachineMS, s.TotalMS, s.GrantMS, s.ReadyMS = SpreadOf(machine), SpreadOf(total), SpreadOf(grant), SpreadOf(ready)
	s.FaceMS = SpreadOf(face)
	r.Summary = s
	r.OK = s.Travellers > 0 && s.AsExpected == s.Travellers && r.Records.Whole() && len(r.Faults) == 0
}

// Write stores the report under a name, whole or not at all.
func (r *Report) Write(path string) error {
	b, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	tmp := path + ".new"
	if err := os.WriteFile(tmp, append(b, '\n'), 0o644); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

// Judge says what about a traveller is not as it should be: against the
// expectation, and between the records and the board.
func Judge(t *Traveller) {
	t.Faults = slices.Clone(t.Faults)
	bad := func(format string, a ...any) { t.Faults = append(t.Faults, fmt.Sprintf(format, a...)) }
	if t.Reasons == nil {
		t.Reasons = []reason.Reason{}
	}
	if t.Outcome != t.Expected.Outcome.String() {
		bad("outcome is %q, expected %q", t.Outcome, t.Expected.Outcome)
	}
	if !sameReasons(t.Reasons, t.Expected.Reasons) {
		bad("reasons are %v, expected %v", t.Reasons, t.Expected.Reasons)
	}
	if !slices.Equal(t.Notices, t.Expected.Notices) {
		bad("notices are %v, expected %v", t.Notices, t.Expected.Notices)
	}
	want := 0
	switch {
	case t.Expected.Unlocks != nil:
		want = *t.Expected.Unlocks
	case t.Expected.Outcome == reason.Admitted, t.Case == scenario.NoShow, t.Case == scenario.WrongWay, t.Moment == scenario.AfterGrant:
		want = 1
	}
	if t.Unlocks != want {
		bad("the board saw %d unlock pulses, expected %d", t.Unlocks, want)
	}
	t.AsExpected = len(t.Faults) == 0
	if t.Faults == nil {
		t.Faults = []string{}
	}
}

func sameReasons(a, b []reason.Reason) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

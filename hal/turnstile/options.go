package turnstile

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"bordergate/hal"
	"bordergate/hal/port"
)

// Options are what every driver asks for.
type Options struct {
	Device string // name in events; empty: "turnstile"
	Port   port.Options
	Dial   func() (port.Port, error) // replaces opening Port, for recorders and tests

	Poll       time.Duration // between two looks at the levels, 5 to 500 ms
	Passage    time.Duration // how long a grant lives unused, at most 1 min
	Reply      time.Duration // longest wait for a reply beyond the time on the wire, 20 ms to 1 s
	Valid      time.Duration // validity of a grant that names none, at most 10 s
	Settle     time.Duration // how long after a passage, at most, another one is tailgating
	HeldWarn   time.Duration // door open, until HeldOpen with CodeWarning
	HeldAlarm  time.Duration // door open, until HeldOpen with CodeAlarm
	ObjectLeft time.Duration // obstruction, until ObjectLeft
	// Pulse is how long an unlock may be seen after it was given: the length of
	// its pulse.
	Pulse time.Duration
	// Contact is how long a passage contact closes at least, 20 ms to 1 s. Where
	// nobody looked for longer while somebody was passing, the driver says that
	// it does not know whether he passed.
	Contact time.Duration

	Trust func() hal.Trust // trust in the wall clock; nil: bad
	Log   *slog.Logger     // nil: none
}

// DefaultOptions are those of a board at 115200 baud.
func DefaultOptions() Options {
	return Options{
		Port: port.DefaultOptions(),
		Poll: 20 * time.Millisecond, Pulse: 300 * time.Millisecond, Passage: 8 * time.Second,
		Contact: 100 * time.Millisecond,
		Reply:   120 * time.Millisecond, Valid: 5 * time.Second, Settle: 2 * time.Second,
		HeldWarn: 10 * time.Second, HeldAlarm: 20 * time.Second, ObjectLeft: 30 * time.Second,
		Log: slog.New(slog.DiscardHandler),
	}
}

func (o *Options) name() string {
	if o.Device == "" {
		return "turnstile"
	}
	return o.Device
}

// check joins every fault of the options.
func (o *Options) check() error {
	var all []error
	if o.Port.Path == "" && o.Dial == nil {
		all = append(all, errors.New("no port"))
	}
	if o.Port.Baud < 50 {
		all = append(all, fmt.Errorf("speed %d baud", o.Port.Baud))
	}
	return errors.Join(append(all,
		Within("poll", o.Poll, 5*time.Millisecond, 500*time.Millisecond),
		Within("pulse", o.Pulse, 0, time.Second),
		Within("passage wait", o.Passage, max(o.Pulse, time.Millisecond), time.Minute),
		Within("passage contact", o.Contact, 20*time.Millisecond, time.Second),
		Within("reply wait", o.Reply, 20*time.Millisecond, time.Second),
		Within("validity", o.Valid, time.Millisecond, 10*time.Second),
		Within("settle time", o.Settle, time.Millisecond, time.Minute),
		Within("held-open warning", o.HeldWarn, time.Millisecond, time.Hour),
		Within("held-open alarm", o.HeldAlarm, o.HeldWarn, time.Hour),
		Within("object-left time", o.ObjectLeft, time.Millisecond, time.Hour),
	)...)
}

// Within refuses a time outside its bounds.
func Within(name string, d, low, high time.Duration) error {
	if d < low || d > high {
		return fmt.Errorf("%s %v, want %v to %v", name, d, low, high)
	}
	return nil
}

// stale is the age from which a level is not known: three polls, and never
// less than 150 ms, since an exchange that had to be repeated takes longer than
// three of the fastest polls. A grant reads afresh and does not rely on it.
func (o *Options) stale() time.Duration { return max(3*o.Poll, 150*time.Millisecond) }

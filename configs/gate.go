package configs

import "time"

// Gate is the one local file of a gate: its devices, its place, its paths.
// Relative paths are taken from the working directory of the process.
type Gate struct {
	Version    int        `yaml:"version"` // 1
	Gate       Place      `yaml:"gate"`
	Simulated  bool       `yaml:"simulated"` // marks every record; set by the simulator only
	Paths      Paths      `yaml:"paths"`
	Status     Status     `yaml:"status"`
	Screen     Screen     `yaml:"screen"`
	Technician Technician `yaml:"technician"`
	Models     ModelUse   `yaml:"models"`
	Vision     Vision     `yaml:"vision"`
	Cameras    Cameras    `yaml:"cameras"`
	Turnstile  Turnstile  `yaml:"turnstile"`
	Scanner    Scanner    `yaml:"scanner"`
	Trust      Trust      `yaml:"trust"`
	HQ         Link       `yaml:"hq"`
	Policy     Policy     `yaml:"policy"`
	Evidence   Evidence   `yaml:"evidence"`
	Journal    Journal    `yaml:"journal"`
	Log        Log        `yaml:"log"`
}

// Place says which gate this is and where it stands.
type Place struct {
	ID        string `yaml:"id"`        // lower-case letters, digits and dashes; part of every topic
	Crossing  string `yaml:"crossing"`  // code of the crossing as passes name it, such as HNG1
	Lane      string `yaml:"lane"`      // the lane's name at the crossing
	Direction string `yaml:"direction"` // entry or exit
	// Reversible lets an officer turn the direction by a signed act while the lane
	// is empty; direction is then that of the first start.
	Reversible bool `yaml:"reversible"`
}

// Paths names the places where the gate keeps what is its own.
type Paths struct {
	State    string `yaml:"state"`    // folder of the databases and day keys
	Identity string `yaml:"identity"` // folder of the gate's keys
	Control  string `yaml:"control"`  // UNIX socket for the technician's tool
}

// Status is the local status page.
type Status struct {
	Listen string `yaml:"listen"` // loopback host:port; port 0 lets the system choose
}

// ModelUse says which models the gate works with and how strictly.
type ModelUse struct {
	Dir      string  `yaml:"dir"`      // folder of the model files
	Manifest string  `yaml:"manifest"` // file that names them with their hashes
	FMR      float64 `yaml:"fmr"`      // false match rate of the threshold: 1e-3, 1e-4, 1e-5 or 1e-6
	Liveness string  `yaml:"liveness"` // enforce, or observe (recorded, not decisive; simulated lanes only)
}

// Vision is the program that works the cameras.
type Vision struct {
	Program string `yaml:"program"` // a path, or a name beside the running program or on PATH
}

// Cameras are the gate's two cameras.
type Cameras struct {
	Document Camera `yaml:"document"`
	Face     Camera `yaml:"face"`
}

// Camera is one camera and what is asked of it.
type Camera struct {
	Source  string  `yaml:"source"`  // device path, http(s) or rtsp URL, image file or folder
	Width   int     `yaml:"width"`   // pixels, 320 to 3840
	Height  int     `yaml:"height"`  // pixels, 240 to 2160
	FPS     float64 `yaml:"fps"`     // frames per second, 1 to 60
	Threads int     `yaml:"threads"` // threads of its worker, 1 to 8
	// Calibration is the file of "gatectl face calibrate"; face camera only,
	// empty for the manifest's own threshold.
	Calibration string `yaml:"calibration"`
}

// Turnstile is the device that lets one person through.
type Turnstile struct {
	Driver      string        `yaml:"driver"`  // modbusio: an input and output board; lot: a LOT turnstile; swing7e: a swing gate that speaks 7E/7F
	Port        string        `yaml:"port"`    // serial device, by a path that does not change
	Baud        int           `yaml:"baud"`    // one of the standard rates, 9600 to 921600
	Unit        int           `yaml:"unit"`    // the device's number on its line, 1 to 255
	Profile     string        `yaml:"profile"` // kind of input and output board: waveshare, lc, hw584, fc06, sfar, or own
	Own         Board         `yaml:"own"`
	Watchdog    time.Duration `yaml:"watchdog"`     // after how long a silence a board that can takes its relays back by itself, 2 s to 10 s
	Counters    int           `yaml:"counters"`     // address of the board's counter of input 0's closings, 1 to 65000; 0 where it does not count
	Pulse       time.Duration `yaml:"pulse"`        // length of an unlock pulse, 100 ms to 1 s
	PassageWait time.Duration `yaml:"passage_wait"` // how long a grant lives unused, 1 s to 60 s
	Poll        time.Duration `yaml:"poll"`         // time between two looks at the inputs, 5 ms to 50 ms; of swing7e 50 ms to 500 ms
	Inputs      Inputs        `yaml:"inputs"`
	Outputs     Outputs       `yaml:"outputs"`
	LOT         LOT           `yaml:"lot"`
	Swing7E     Swing7E       `yaml:"swing7e"`
}

// NotWired is the channel number of a contact that this gate does not have.
const NotWired = -1

// Inputs are the board's input channels, counted from 0; NotWired where the
// gate has no such contact.
type Inputs struct {
	PassEntry   int `yaml:"pass_entry"`
	PassExit    int `yaml:"pass_exit"`
	Ready       int `yaml:"ready"`
	DoorClosed  int `yaml:"door_closed"`
	Obstruction int `yaml:"obstruction"`
	Tamper      int `yaml:"tamper"`
	Emergency   int `yaml:"emergency"`
	Mains       int `yaml:"mains"`
	Presence    int `yaml:"presence"`
}

// Outputs are the board's output channels, counted from 0; NotWired where the
// gate has no such part.
type Outputs struct {
	UnlockEntry int `yaml:"unlock_entry"`
	UnlockExit  int `yaml:"unlock_exit"`
	Stop        int `yaml:"stop"`
	Green       int `yaml:"green"`
	Red         int `yaml:"red"`
	Buzzer      int `yaml:"buzzer"`
}

// Trust says whose seals on passes the gate believes until headquarters has
// sent its trust store. From then on that store rules: of the folder only
// revocation lists count, pin says nothing, and the rest only where it is
// stricter than headquarters' policy.
type Trust struct {
	Dir       string        `yaml:"dir"`        // folder of signer and authority certificates and revocation lists
	Pin       bool          `yaml:"pin"`        // trust each certificate as a signer itself
	AllowP224 bool          `yaml:"allow_p224"` // admit the curve brainpoolP224r1
	Lists     string        `yaml:"lists"`      // what an old or missing revocation list means: off, when-present or required
	ListAge   time.Duration `yaml:"list_age"`   // how long a list is in its time; 0: until its own next update; else 1 h to 366 days
	// TemplateKeys is the file of the keys that open face templates in passes,
	// readable by the gate alone; empty where passes carry none.
	TemplateKeys string `yaml:"template_keys"`
}

// Link is the way to headquarters.
type Link struct {
	Broker      string `yaml:"broker"`      // tcp://host:port or ssl://host:port
	Bundle      string `yaml:"bundle"`      // headquarters' public keys, signed by its root
	Fingerprint string `yaml:"fingerprint"` // SHA-256 of the root key: 64 hex digits, spaces allowed
}

// Policy is where this gate is stricter than the signed policy.
type Policy struct {
	CacheMaxAge    time.Duration `yaml:"cache_max_age"`   // 1 s to 72 h
	KindMaxAge     KindMaxAge    `yaml:"kind_max_age"`    // the same for one kind of account, where it is shorter
	PassTypes      []string      `yaml:"pass_types"`      // accepted of those that headquarters accepts; none: all of them
	CaptureTimeout time.Duration `yaml:"capture_timeout"` // 1 s to 60 s
	FaceTimeout    time.Duration `yaml:"face_timeout"`    // 1 s to 30 s
	ReferralHold   time.Duration `yaml:"referral_hold"`   // 1 s to 60 s
	// Movements is complete where every passage of the crossing goes through
	// this one gate, so that a second exit in a row is referred; else unchecked.
	Movements string `yaml:"movements"`
}

// KindMaxAge is how old the cache may be for one kind of account, 1 s to 72 h;
// 0: no other limit than for all.
type KindMaxAge struct {
	Citizen      time.Duration `yaml:"citizen"`      // of one's own
	Foreigner    time.Duration `yaml:"foreigner"`    // of one's own
	Organisation time.Duration `yaml:"organisation"` // and whoever acts for one
}

// Evidence says which pictures of travellers the gate keeps, sealed, and how
// long.
type Evidence struct {
	Images    string        `yaml:"images"`    // off, exceptions (faces in doubt, and alarms), or all
	Retention time.Duration `yaml:"retention"` // 24 h to 8760 h; then the day's key is destroyed
}

// Journal says how much room records have and how long they are kept. What
// headquarters has not acknowledged is kept longer; pictures are under Evidence.
type Journal struct {
	MaxMiB    int           `yaml:"max_mib"`   // of the file, 256 to 65536
	Crossings time.Duration `yaml:"crossings"` // 168 h to 43800 h
	Alarms    time.Duration `yaml:"alarms"`    // 168 h to 43800 h
	Telemetry time.Duration `yaml:"telemetry"` // 24 h to 43800 h
}

// Log says how much the gate tells of its work on standard error. For a while,
// and for one part, "gatectl log level" does so without the file.
type Log struct {
	Level string `yaml:"level"` // debug, info, warn or error
}

// DefaultGate returns what a gate's file need not say. What only the station
// can know (place, cameras, port, fingerprint) is empty.
func DefaultGate() Gate {
	camera := Camera{Width: 1280, Height: 720, FPS: 25, Threads: 1}
	return Gate{
		Paths: Paths{
			State:    "/var/lib/bordergate",
			Identity: "/var/lib/bordergate/identity",
			Control:  "/run/bordergate/gated.sock",
		},
		Status:     Status{Listen: "127.0.0.1:7080"},
		Screen:     defaultScreen(),
		Technician: defaultTechnician(),
		Models:     ModelUse{Dir: "models", Manifest: "configs/models.yaml", FMR: 1e-4, Liveness: "enforce"},
		Vision:     Vision{Program: "gatevision"},
		Cameras:    Cameras{Document: camera, Face: camera},
		Turnstile: Turnstile{
			Driver: "modbusio", Baud: 115200, Unit: 1, Profile: "waveshare",
			Own:      Board{On: 0xFF00, Write: 5, Read: 1, Input: 2},
			Watchdog: 2 * time.Second, LOT: LOT{Approach: []int{1}}, Swing7E: Swing7E{Left: "entry", Codes: []string{}},
			Pulse: 300 * time.Millisecond, PassageWait: 8 * time.Second, Poll: 20 * time.Millisecond,
			Inputs: Inputs{
				PassEntry: 0, PassExit: 1, Ready: 2, DoorClosed: 3, Obstruction: 4,
				Tamper: 5, Emergency: 6, Mains: 7, Presence: 8,
			},
			Outputs: Outputs{UnlockEntry: 0, UnlockExit: 1, Stop: 2, Green: 3, Red: 4, Buzzer: 5},
		},
		Scanner: defaultScanner(),
		Trust:   Trust{Dir: "/etc/bordergate/trust", Lists: "off"},
		HQ:      Link{Bundle: "/etc/bordergate/hq.json"},
		Policy: Policy{
			CacheMaxAge: 72 * time.Hour, CaptureTimeout: 15 * time.Second,
			FaceTimeout: 6 * time.Second, ReferralHold: 10 * time.Second,
			Movements: "unchecked",
		},
		Evidence: Evidence{Images: "exceptions", Retention: 720 * time.Hour},
		Journal:  Journal{MaxMiB: 4064, Crossings: 2160 * time.Hour, Alarms: 8760 * time.Hour, Telemetry: 720 * time.Hour},
		Log:      Log{Level: "info"},
	}
}

// LoadGate reads a gate's file. Either the faults are empty and the
// configuration is complete and within all bounds, or it is nil.
func LoadGate(path string) (*Gate, Faults) {
	return load(path, DefaultGate(), checkGate)
}

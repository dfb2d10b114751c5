package scene

// Medium is what a face is presented on instead of being there.
type Medium string

// The media.
const (
	Print  Medium = "print"
	Screen Medium = "screen"
)

// Device is one thing that a face is shown on. Lengths are millimetres;
// shares of light are of a white wall's in the gate's own light.
type Device struct {
	Name   string // unique
	Medium Medium
	Kind   string // phone, tablet, laptop, photo, sheet or newsprint
	W, H   float64
	// Left, Top, Right and Bottom are the paper's white margin or the bezel
	// around what is shown.
	Left, Top, Right, Bottom float64
	Corner                   float64 // radius of the outer corners
	Frame                    float64 // light of margin or bezel, 0 to 1
	// Pitch is the distance between two dots of ink or two pixels, Relief how
	// strongly they stay visible after lens and sensor, 0 to 1.
	Pitch, Relief float64
	Dark, Bright  float64 // light of the darkest and the brightest it can show
	Colour        float64 // saturation against the photograph's
	Blue          float64 // shift of Cb; a screen is bluer than the gate's lamp
	Gloss         float64 // how much of the gate's lamp it mirrors, 0 to 1
	Bands         float64 // depth of the bands of its refresh, 0 to 1
	Curl          float64 // how far it can bend, as a share of its width
}

// Devices lists everything that is presented, in two halves that have nothing
// in common: one to set thresholds on, one to try them on.
func Devices(trial bool) []Device {
	if trial {
		return []Device{
			{
				Name: "photo 13x18 matt", Medium: Print, Kind: "photo", W: 130, H: 180, Left: 5, Top: 5, Right: 5, Bottom: 5, Frame: 0.86,
				Pitch: 0.12, Relief: 0.02, Dark: 0.10, Bright: 0.84, Colour: 0.85, Gloss: 0.06, Curl: 0.05,
			},
			{
				Name: "sheet letter inkjet", Medium: Print, Kind: "sheet", W: 216, H: 279, Left: 18, Top: 14, Right: 18, Bottom: 40, Frame: 0.93,
				Pitch: 0.20, Relief: 0.06, Dark: 0.17, Bright: 0.88, Colour: 0.72, Curl: 0.11,
			},
			{
				Name: "newsprint B", Medium: Print, Kind: "newsprint", W: 180, H: 230, Left: 9, Top: 12, Right: 9, Bottom: 22, Frame: 0.70,
				Pitch: 0.31, Relief: 0.14, Dark: 0.22, Bright: 0.68, Colour: 0.50, Curl: 0.14,
			},
			{
				Name: "phone 6.7 OLED", Medium: Screen, Kind: "phone", W: 77, H: 160, Left: 3, Top: 4, Right: 3, Bottom: 4, Corner: 10, Frame: 0.05,
				Pitch: 0.0575, Relief: 0.03, Dark: 0.02, Bright: 1.05, Colour: 1.15, Blue: 7, Gloss: 0.22, Bands: 0.06,
			},
			{
				Name: "phone 5.0 LCD white", Medium: Screen, Kind: "phone", W: 70, H: 143, Left: 4, Top: 16, Right: 4, Bottom: 17, Corner: 8, Frame: 0.80,
				Pitch: 0.086, Relief: 0.05, Dark: 0.05, Bright: 0.92, Colour: 0.95, Blue: 9, Gloss: 0.25, Bands: 0.02,
			},
			{
				Name: "tablet 11", Medium: Screen, Kind: "tablet", W: 178, H: 247, Left: 9, Top: 9, Right: 9, Bottom: 9, Corner: 14, Frame: 0.05,
				Pitch: 0.096, Relief: 0.06, Dark: 0.04, Bright: 1.0, Colour: 1.0, Blue: 6, Gloss: 0.20, Bands: 0.02,
			},
			{
				Name: "laptop 13", Medium: Screen, Kind: "laptop", W: 300, H: 200, Left: 8, Top: 9, Right: 8, Bottom: 18, Corner: 6, Frame: 0.07,
				Pitch: 0.165, Relief: 0.08, Dark: 0.06, Bright: 0.9, Colour: 0.9, Blue: 8, Gloss: 0.10, Bands: 0.04,
			},
		}
	}
	return []Device{
		{
			Name: "photo 10x15 gloss", Medium: Print, Kind: "photo", W: 102, H: 152, Left: 4, Top: 4, Right: 4, Bottom: 4, Frame: 0.92,
			Pitch: 0.10, Relief: 0.02, Dark: 0.06, Bright: 0.92, Colour: 0.95, Gloss: 0.15, Curl: 0.08,
		},
		{
			Name: "sheet A4 laser", Medium: Print, Kind: "sheet", W: 210, H: 297, Left: 15, Top: 20, Right: 15, Bottom: 30, Frame: 0.95,
			Pitch: 0.17, Relief: 0.08, Dark: 0.14, Bright: 0.90, Colour: 0.80, Gloss: 0.03, Curl: 0.09,
		},
		{
			Name: "newsprint A", Medium: Print, Kind: "newsprint", W: 160, H: 220, Left: 8, Top: 8, Right: 8, Bottom: 20, Frame: 0.72,
			Pitch: 0.25, Relief: 0.12, Dark: 0.25, Bright: 0.70, Colour: 0.55, Curl: 0.12,
		},
		{
			Name: "phone 6.1 OLED", Medium: Screen, Kind: "phone", W: 71, H: 147, Left: 3, Top: 4, Right: 3, Bottom: 4, Corner: 9, Frame: 0.04,
			Pitch: 0.055, Relief: 0.03, Dark: 0.02, Bright: 1.0, Colour: 1.1, Blue: 8, Gloss: 0.2, Bands: 0.05,
		},
		{
			Name: "phone 5.5 LCD", Medium: Screen, Kind: "phone", W: 76, H: 153, Left: 4, Top: 17, Right: 4, Bottom: 17, Corner: 7, Frame: 0.06,
			Pitch: 0.063, Relief: 0.04, Dark: 0.06, Bright: 0.9, Colour: 0.95, Blue: 7, Gloss: 0.25, Bands: 0.03,
		},
		{
			Name: "tablet 10", Medium: Screen, Kind: "tablet", W: 174, H: 250, Left: 12, Top: 18, Right: 12, Bottom: 18, Corner: 10, Frame: 0.06,
			Pitch: 0.118, Relief: 0.07, Dark: 0.05, Bright: 0.95, Colour: 1.0, Blue: 6, Gloss: 0.22, Bands: 0.02,
		},
		{
			Name: "laptop 14", Medium: Screen, Kind: "laptop", W: 321, H: 213, Left: 10, Top: 14, Right: 10, Bottom: 22, Corner: 4, Frame: 0.08,
			Pitch: 0.18, Relief: 0.08, Dark: 0.07, Bright: 0.85, Colour: 0.9, Blue: 7, Gloss: 0.08, Bands: 0.03,
		},
	}
}

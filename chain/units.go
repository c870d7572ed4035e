package chain

// Gas counts units of EVM gas.
type Gas = uint64

// Millis is a duration or a Unix time in milliseconds.
type Millis uint64

// Micros is a duration or a Unix time in microseconds.
type Micros uint64

// Micros converts to microseconds.
func (m Millis) Micros() Micros { return Micros(m) * 1000 }

// Seconds is the Unix time in whole seconds, rounded down.
func (m Micros) Seconds() uint64 { return uint64(m) / 1_000_000 }

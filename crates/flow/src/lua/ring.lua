-- Rings regardless of the flag.
ring_always()
return { 'rung' }

// The loops guest comes up as the sample does.
#include "../sample/start.S"

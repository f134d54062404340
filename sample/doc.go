// Package sample chooses the next token from a model's logits.
//
// The steps are applied in this order, the one of Hugging Face transformers
// (GenerationMixin: logits processors, then temperature, top-k, top-p, min-p):
//
//  1. repetition penalty (Keskar et al. 2019, CTRL): the logit of every id
//     among the last RepeatWindow ones is divided by the penalty if positive,
//     else multiplied;
//  2. temperature: logits are divided by it; 0 ends here with the largest;
//  3. top-k (Fan et al. 2018): the k largest remain;
//  4. top-p, the nucleus (Holtzman et al. 2020): of these the fewest largest
//     whose probabilities sum to at least p;
//  5. min-p (Nguyen et al. 2024): of these the ones with at least min-p times
//     the largest probability;
//  6. a draw from what remains, renormalised.
//
// Equal logits rank by id, the lower first. The generator is PCG-DXSM from
// math/rand/v2; exponentials are computed here in float64 without fused
// operations, so equal logits, options and seed give equal ids on every
// platform. A logit that is NaN counts as −Inf: it is never chosen while there
// is another. [Sampler.Next] allocates nothing.
package sample

using NanoFold.Engine.Model;
using NanoFold.Engine.Text;

namespace NanoFold.Engine.Interchange.Exports;

/// <summary>A model of ours that is written in the files of another program.</summary>
/// <param name="Config">Resolved, the vocabulary known.</param>
/// <param name="Tokenizer">Its tokenizer, or null.</param>
/// <param name="Weights">Its parameters and its state, in our order.</param>
/// <param name="Read">All elements of one of them, by its name; what is given is not changed.</param>
public sealed record OwnModel(ModelConfig Config, Tokenizer? Tokenizer, IReadOnlyList<WeightInfo> Weights, Func<string, float[]> Read);

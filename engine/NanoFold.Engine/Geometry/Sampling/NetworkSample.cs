using NanoFold.Engine.Model;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Text;
using NanoFold.Kernels;

namespace NanoFold.Engine.Geometry.Sampling;

/// <summary>A whole model with the tokens of the probe, for measures that record passes of their own: Jacobians, read-outs of layers, patching.</summary>
public sealed record NetworkSample
{
    /// <summary>The model; its parameters are in float32 and stay as they are.</summary>
    public required Transformer Model { get; init; }

    /// <summary>What tokens mean; null where the task has no text.</summary>
    public required Tokenizer? Tokenizer { get; init; }

    /// <summary>What was learned: it records losses, and what a token reads like.</summary>
    public required LearningTask Task { get; init; }

    /// <summary>How many tokens there are, and how many are looked at.</summary>
    public required ProbeShape Shape { get; init; }

    /// <summary>The fields of the batch, B rows: tokens, targets, documents, or what else the task has.</summary>
    public required BatchRows Rows { get; init; }

    /// <summary>[B, T]; counted from 0 where the model reads no tokens.</summary>
    public required int[] Tokens { get; init; }

    /// <summary>[B, T].</summary>
    public required int[] Documents { get; init; }

    /// <summary>[B, T], −1 where nothing is asked.</summary>
    public required int[] Targets { get; init; }

    /// <summary>Classes of all tokens, [B, T] each.</summary>
    public required IReadOnlyList<LabelColumn> Labels { get; init; }

    /// <summary>The tokens that clouds are of.</summary>
    public required SampledRows Points { get; init; }

    /// <summary>Decides every draw.</summary>
    public required ulong Seed { get; init; }

    /// <summary>Where the model runs.</summary>
    public Backend Backend => Model.Backend;

    /// <summary>B.</summary>
    public int Batch => Shape.Batch;

    /// <summary>T.</summary>
    public int Time => Shape.Time;

    /// <summary>The column of that name, or null.</summary>
    public LabelColumn? Label(string name) => Labels.FirstOrDefault(column => column.Name == name);
}

/// <summary>A checkpoint with what was seen of it, for measures that compare two.</summary>
public sealed class CheckpointSample
{
    private readonly Lazy<NetworkSample> _network;

    /// <param name="network">Opens the model with the tokens.</param>
    public CheckpointSample(Lazy<NetworkSample> network) => _network = network;

    /// <summary>What it is called: its folder, as in <c>step-000500</c>; of another run, with that run's name.</summary>
    public required string Name { get; init; }

    /// <summary>Steps that it was trained for.</summary>
    public required long Step { get; init; }

    /// <summary>The residual stream before the first block and after each, at the same tokens in both.</summary>
    public required IReadOnlyList<PointCloud> Streams { get; init; }

    /// <summary>The model with the tokens, which are the same in both; read from its file when first asked for.</summary>
    public NetworkSample Network => _network.Value;
}

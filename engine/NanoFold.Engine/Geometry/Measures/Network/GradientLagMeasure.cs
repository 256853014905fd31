using System.Globalization;
using NanoFold.Engine.Autograd;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Geometry.Heads;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Statistics;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Geometry.Measures;

/// <summary>
/// How far back a mixer of any kind depends on its input: the norm of the Jacobian ∂y_t/∂x_{t−lag} of what it makes, by the normed stream that it reads, ÷ √C, and the
/// timescale of its decay. By backward passes from random vectors at single tokens: E‖Jᵀv‖² = ‖J‖²_F for v of variance 1.
/// </summary>
public sealed record GradientLagMeasure : NetworkMeasure
{
    private const string Input = "ln1.hook_normalized", Output = "hook_attn_out", Beside = "hook_mlp_out", Gradient = ".grad";

    /// <summary>Backward passes, each from one token of every window.</summary>
    [Bounds(1, 1024)]
    public int Rounds { get; init; } = 2;

    /// <inheritdoc/>
    public override string Legend => "gain = ‖∂y/∂x‖ of the mixer by lag, ÷ √C; fades = tokens until it is e times smaller";

    /// <inheritdoc/>
    public override string Subject => "mixers";

    /// <inheritdoc/>
    public override IReadOnlyList<FigureColumn> Columns => [new("gain.0", "gain 0", "0.000"), new("gain.8", "gain 5–8", "0.0000"), new("timescale", "fades", "0.0")];

    /// <inheritdoc/>
    public override void Take(NetworkSample network, FigureWriter figures)
    {
        // Where no norm stands before a mixer, what it reads is the stream, to which much else flows back.
        bool Has(string name) => network.Model.TapPoints.Any(point => TapName.Matches($"blocks.*.{name}", point.Name));
        if (!Has(Output) || !Has(Input))
        {
            return;
        }

        (int batch, int time, int width) = (network.Batch, network.Time, network.Model.Config.Width);
        var profiles = new JacobianByLag?[network.Model.Config.Layers];
        var positions = new int[batch];
        using DeviceBuffer buffer = network.Backend.Allocate((long)batch * time * width * sizeof(float));
        var vectors = new View(buffer, 0, Layout.Of(batch, time, width), DType.Float32);
        IEnumerable<ITapReader> readers = Enumerable.Range(0, profiles.Length).Select(layer => new NetworkPass.Reader(
            string.Create(CultureInfo.InvariantCulture, $"blocks.{layer}.{Input}{Gradient}"), (_, values, _) => Add(profiles[layer] ??= new JacobianByLag(time, width), network, positions, values)));
        // A feed-forward may read the same.
        IEnumerable<Cut> beside = Has(Beside) ? [new Cut($"blocks.*.{Beside}", null)] : [];
        using var pass = new NetworkPass(network, readers, [new Cut($"blocks.*.{Input}", null), new Cut($"blocks.*.{Output}", vectors), .. beside], training: true);
        var random = new GaussianSource(network.Seed);
        var drawn = new float[batch * time * width];
        for (int round = 0; round < Rounds; round++)
        {
            Array.Clear(drawn);
            for (int row = 0; row < batch; row++)
            {
                // The second half of a window: what has much before it.
                positions[row] = (time / 2) + random.NextInt(time - (time / 2));
                random.FillNormal(drawn.AsSpan(((row * time) + positions[row]) * width, width));
            }

            network.Backend.Write(drawn, vectors);
            pass.Run();
        }

        for (int layer = 0; layer < profiles.Length; layer++)
        {
            profiles[layer]?.Write(figures.At(new FigurePlace("block", string.Create(CultureInfo.InvariantCulture, $"blocks.{layer}"), layer)));
        }
    }

    private static void Add(JacobianByLag profile, NetworkSample network, int[] positions, float[] gradient)
    {
        for (int row = 0; row < positions.Length; row++)
        {
            // Of the token's own document.
            int own = (row * network.Time) + positions[row], first = own;
            while (first > row * network.Time && network.Documents[first - 1] == network.Documents[own])
            {
                first--;
            }

            profile.Add(gradient.AsSpan(first * profile.Width, (own - first + 1) * profile.Width));
        }
    }

    // Cuts what flows back, so that every mixer is on its own; at the outputs the losses v · y begin.
    private sealed class Cut(string pattern, View? vectors) : ITapEditor
    {
        public string Pattern => pattern;

        public Tensor Edit(Tape tape, string name, Tensor value)
        {
            if (vectors is { } v)
            {
                tape.AddLoss(DotOp.Record(tape, value, tape.External("random vectors", v)));
            }

            return DetachOp.Record(tape, value);
        }
    }
}

using System.Runtime.InteropServices;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Geometry.Network;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Measures;

/// <summary>
/// What the model would say if it ended after a layer: its last norm and head applied to the residual stream (logit lens, nostalgebraist 2020), against what it
/// does say, as KL both ways in nats, agreement of the first choice, entropy and loss.
/// </summary>
public sealed record LogitLensMeasure : NetworkMeasure
{
    // Places of the first row whose tokens are shown.
    private const int Shown = 16;

    private const string Estimator = "last norm and head at the point, position 0 in";

    /// <summary>Tokens that are read at most.</summary>
    [Bounds(1, 1 << 20)]
    public int Tokens { get; init; } = 512;

    /// <summary>The most likely tokens of each layer that are kept for the last places of the first row.</summary>
    [Bounds(1, 100)]
    public int Top { get; init; } = 5;

    /// <inheritdoc/>
    public override string Legend => "KL to final, agree = of what the head reads in a layer to what it reads in the end";

    /// <inheritdoc/>
    public override IReadOnlyList<FigureColumn> Columns =>
        [new("klFinalToLens", "KL to final", "0.000"), new("topAgreement", "agree", "0.00"), new("lensLoss", "lens loss", "0.00"), new("lensEntropy", "lens H", "0.00")];

    /// <inheritdoc/>
    public override void Take(NetworkSample network, FigureWriter figures)
    {
        if (network.Model.Config.Outputs > 0)
        {
            figures.Add("klFinalToLens", null, GeometryStatus.Degenerate, "the model has a read-out of values, no head over a vocabulary", 0);
            return;
        }

        IReadOnlyList<FigurePoint> points = StreamPass.Streams(network.Model);
        int[] chosen = StreamPass.Choose(network.Points, Tokens);
        int[] shown = figures.WantsArrays ? [.. Enumerable.Range(Math.Max(0, network.Time - Shown), Math.Min(Shown, network.Time))] : [];
        Dictionary<string, float[]> values = StreamPass.Read(network, [.. points.Select(point => point.Name), StreamPass.Last], [.. chosen, .. shown]);
        using var head = new HeadPass(network.Model);
        var layers = points.Select(point => new Layer(point)).ToArray();
        var final = new double[head.Rows * head.Vocab];
        var logs = new double[final.Length];
        int width = network.Model.Config.Width;
        for (int start = 0; start < chosen.Length + shown.Length; start += head.Rows)
        {
            int count = Math.Min(head.Rows, chosen.Length + shown.Length - start);
            head.Run(values[StreamPass.Last].AsSpan(start * width, count * width), true, final);
            foreach (Layer layer in layers)
            {
                head.Run(values[layer.Point.Name].AsSpan(start * width, count * width), false, logs);
                for (int row = 0; row < count; row++)
                {
                    ReadOnlySpan<double> own = logs.AsSpan(row * head.Vocab, head.Vocab), last = final.AsSpan(row * head.Vocab, head.Vocab);
                    if (start + row < chosen.Length)
                    {
                        layer.Add(own, last, network.Targets[chosen[start + row]]);
                    }
                    else
                    {
                        layer.Show(own, Top);
                    }
                }
            }
        }

        foreach (Layer layer in layers)
        {
            layer.Write(figures.At(new FigurePlace("network", layer.Point.Name, layer.Point.Layer)), shown);
        }
    }

    private sealed class Layer(FigurePoint point)
    {
        private Mean _toLens, _toFinal, _agree, _loss, _entropy;
        private readonly List<int> _tokens = [];
        private readonly List<float> _probabilities = [];

        public FigurePoint Point => point;

        public void Add(ReadOnlySpan<double> own, ReadOnlySpan<double> final, int target)
        {
            _toLens.Add(TokenDistributions.Divergence(final, own));
            _toFinal.Add(TokenDistributions.Divergence(own, final));
            _agree.Add(TokenDistributions.Largest(own, 1)[0] == TokenDistributions.Largest(final, 1)[0] ? 1 : 0);
            _entropy.Add(TokenDistributions.Entropy(own));
            if (target >= 0)
            {
                _loss.Add(-own[target]);
            }
        }

        public void Show(ReadOnlySpan<double> own, int top)
        {
            foreach (int token in TokenDistributions.Largest(own, top))
            {
                _tokens.Add(token);
                _probabilities.Add((float)Math.Exp(own[token]));
            }
        }

        public void Write(FigureWriter figures, int[] shown)
        {
            void Add(string name, in Mean mean) =>
                figures.Add(name, mean.Value, mean.Status, Estimator, mean.Count, mean.Error);
            Add("klFinalToLens", _toLens);
            Add("klLensToFinal", _toFinal);
            Add("topAgreement", _agree);
            Add("lensLoss", _loss);
            Add("lensEntropy", _entropy);
            if (shown.Length > 0)
            {
                int top = _tokens.Count / shown.Length;
                figures.Array("places", [shown.Length], shown.AsSpan());
                figures.Array("topTokens", [shown.Length, top], CollectionsMarshal.AsSpan(_tokens));
                figures.Array("topProbabilities", [shown.Length, top], CollectionsMarshal.AsSpan(_probabilities));
            }
        }
    }
}

using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
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
    // Places of the first row whose tokens are kept, those of them in the table, and characters of a word there.
    private const int Shown = 16, InTable = 6, LongestWord = 7;

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

        if (shown.Length > 0)
        {
            figures.Show(Table(network, layers, shown));
        }

        foreach (Layer layer in layers)
        {
            layer.Write(figures.At(new FigurePlace("network", layer.Point.Name, layer.Point.Layer)), shown, network.Tokens);
        }
    }

    // The first choice of each layer at the last places of the first row, with its probability.
    private static WordTable Table(NetworkSample network, Layer[] layers, int[] shown)
    {
        int count = Math.Min(shown.Length, InTable), from = shown.Length - count;
        return new WordTable(
            "what the head reads at the last places of the first row: first choice of each layer with its probability in percent",
            [
                ["after", .. shown[from..].Select(place => Word(network, network.Tokens[place]))],
                .. layers.Select((layer, i) => (IReadOnlyList<string>)
                [
                    i == 0 ? "embedding" : layer.Point.Layer.ToString(CultureInfo.InvariantCulture),
                    .. Enumerable.Range(from, count).Select(at => layer.First(at)).Select(first => string.Create(CultureInfo.InvariantCulture, $"{Word(network, first.Token)} {100 * first.Probability:0}")),
                ]),
            ]);
    }

    // Blanks and line ends are there to be seen, and long words are cut.
    private static string Word(NetworkSample network, int token)
    {
        string text = network.Tokenizer is { } tokenizer ? Encoding.UTF8.GetString(tokenizer.BytesOf(token)) : network.Task.Symbol(token);
        text = string.Concat(text.Select(c => c == ' ' ? '␣' : c == '\n' ? '↵' : char.IsControl(c) ? '·' : c));
        return text.Length <= LongestWord ? text : text[..(LongestWord - 1)] + "…";
    }

    private sealed class Layer(FigurePoint point)
    {
        private Mean _toLens, _toFinal, _agree, _loss, _entropy;
        private readonly List<int> _tokens = [];
        private readonly List<float> _probabilities = [];
        private int _top;

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
            // Of a small vocabulary fewer.
            int[] largest = TokenDistributions.Largest(own, top);
            _top = largest.Length;
            foreach (int token in largest)
            {
                _tokens.Add(token);
                _probabilities.Add((float)Math.Exp(own[token]));
            }
        }

        public (int Token, float Probability) First(int place) => (_tokens[place * _top], _probabilities[place * _top]);

        public void Write(FigureWriter figures, int[] shown, int[] tokens)
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
                figures.Array("places", [shown.Length], shown.AsSpan());
                figures.Array("tokens", [shown.Length], Array.ConvertAll(shown, place => tokens[place]).AsSpan());
                figures.Array("topTokens", [shown.Length, _top], CollectionsMarshal.AsSpan(_tokens));
                figures.Array("topProbabilities", [shown.Length, _top], CollectionsMarshal.AsSpan(_probabilities));
            }
        }
    }
}

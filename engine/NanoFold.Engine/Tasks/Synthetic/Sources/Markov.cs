using NanoFold.Engine.Configuration;
using NanoFold.Engine.Model;

namespace NanoFold.Engine.Tasks;

/// <summary>
/// A Markov source: each symbol depends on the few before it by a fixed table of random probabilities, the same in all rows. The least loss is known:
/// <c>sourceLoss</c> is what the table itself needs for the same symbols, <c>excess</c> is the loss above that.
/// </summary>
public sealed record MarkovConfig : SourceTaskConfig
{
    // Of the table: more takes long to make.
    private const long MostEntries = 1 << 20;

    public static MarkovConfig Tiny => new() { Symbols = 3, Order = 2, ValidationRows = 6 };

    /// <summary>How many symbols there are.</summary>
    [Bounds(2, 1024)]
    public int Symbols { get; init; } = 8;

    /// <summary>How many symbols before a symbol it depends on. The table has symbols^(order + 1) entries.</summary>
    [Bounds(1, 16)]
    public int Order { get; init; } = 2;

    /// <summary>How uneven the table is: probabilities are e^(spread · n) over their sum, n of the standard normal distribution. With 0 all are alike.</summary>
    [Bounds(0, 10)]
    public double Spread { get; init; } = 2;

    /// <inheritdoc/>
    public override int Vocab => Symbols;

    /// <inheritdoc/>
    public override IEnumerable<ConfigProblem> Validate(ModelConfig model, string path)
        => Math.Pow(Symbols, Order + 1) > MostEntries
            ? [new ConfigProblem($"{path}.order", $"{Symbols}^({Order} + 1) entries of {path}.symbols = {Symbols} are more than the {MostEntries} that a table may have"), .. base.Validate(model, path)]
            : base.Validate(model, path);

    /// <inheritdoc/>
    public override LearningTask Open(TaskContext context) => new Markov(this, context, new MarkovSource(Symbols, Order, Spread, SplitSeed, WorkOf(context)));

    /// <summary>With a table that is quick to make.</summary>
    public override LearningTask Sketch(TaskContext context) => new Markov(this, context, new MarkovSource(Symbols, order: 1, spread: 0, SplitSeed));

    /// <inheritdoc/>
    protected override string VocabOf(string path) => $"{path}.symbols = {Symbols}";
}

internal sealed class Markov(MarkovConfig config, TaskContext context, MarkovSource source) : SourceTask(config, context, source)
{
    public override IEnumerable<string> Describe() =>
    [
        $"a Markov source of order {config.Order}: {config.Symbols} symbols"
        + (source.EntropyRate is { } rate ? FormattableString.Invariant($", entropy {rate:0.0000} nats per symbol") : ""),
    ];
}

/// <summary>Symbols by a table of probabilities given the <c>order</c> symbols before.</summary>
internal sealed class MarkovSource : Source
{
    private readonly int _order;
    private readonly int _contexts;

    // Sums of probabilities, [symbols^order, symbols]; a context is its symbols as digits, the last one lowest.
    private readonly double[] _table;

    // Sums of how often each context is met.
    private readonly double[] _met;

    public MarkovSource(int symbols, int order, double spread, long seed, LongWork? work = null)
    {
        (Symbols, _order, _contexts) = (symbols, order, (int)Math.Pow(symbols, order));
        var draws = RowDraws.OfTables(seed);
        _table = new double[_contexts * symbols];
        for (int context = 0; context < _contexts; context++)
        {
            DrawSums(ref draws, symbols, spread).CopyTo(_table, context * symbols);
        }

        (_met, bool isExact) = Stationary(_contexts, _table.Length, Step, work);
        double rate = 0;
        for (int context = 0; context < _contexts; context++)
        {
            double entropy = 0;
            for (int symbol = 0; symbol < symbols; symbol++)
            {
                double p = Probability(Row(context), symbol);
                entropy -= p > 0 ? p * Math.Log(p) : 0;
            }

            rate += _met[context] * entropy;
            _met[context] += context > 0 ? _met[context - 1] : 0;
        }

        EntropyRate = isExact ? rate : null;
    }

    public override int Symbols { get; }

    /// <summary>Nats per symbol of a long sequence; null where it takes too long to find how often contexts are met in one. Rows begin as they are met so far, so that their least loss is exact.</summary>
    public double? EntropyRate { get; }

    public override void Draw(ref RowDraws draws, Span<int> symbols)
    {
        int context = Pick(ref draws, _met);
        for (int t = 0; t < symbols.Length; t++)
        {
            // The digits of the first context are the first symbols.
            symbols[t] = t < _order ? context / (int)Math.Pow(Symbols, _order - 1 - t) % Symbols : Pick(ref draws, Row(context));
            context = t < _order ? context : Next(context, symbols[t]);
        }
    }

    public override double Nats(ReadOnlySpan<int> symbols)
    {
        // Contexts that begin with the same symbols lie beside each other.
        int context = symbols[0], alike = _contexts / Symbols;
        double nats = 0, before = Met(context, alike);
        for (int t = 1; t < symbols.Length; t++)
        {
            if (t < _order)
            {
                context = (context * Symbols) + symbols[t];
                alike /= Symbols;
                double with = Met(context, alike);
                nats -= Math.Log(with / before);
                before = with;
            }
            else
            {
                nats -= Math.Log(Probability(Row(context), symbols[t]));
                context = Next(context, symbols[t]);
            }
        }

        return nats;
    }

    private double Met(int prefix, int alike) => _met[((prefix + 1) * alike) - 1] - (prefix > 0 ? _met[(prefix * alike) - 1] : 0);

    private ReadOnlySpan<double> Row(int context) => _table.AsSpan(context * Symbols, Symbols);

    private int Next(int context, int symbol) => ((context * Symbols) + symbol) % _contexts;

    private void Step(double[] now, double[] next)
    {
        for (int context = 0; context < _contexts; context++)
        {
            for (int symbol = 0; symbol < Symbols; symbol++)
            {
                next[Next(context, symbol)] += now[context] * Probability(Row(context), symbol);
            }
        }
    }
}

using NanoFold.Engine.Configuration;

namespace NanoFold.Engine.Tasks;

/// <summary>
/// A hidden Markov source: states follow each other by fixed random probabilities and each says a symbol, by probabilities of its own; only symbols are seen. The least loss is
/// known by the forward algorithm, which keeps how likely each state is: <c>sourceLoss</c>; <c>excess</c> is the loss above that.
/// </summary>
public sealed record HiddenMarkovConfig : SourceTaskConfig
{
    public static HiddenMarkovConfig Tiny => new() { Symbols = 3, States = 2, ValidationRows = 6 };

    /// <summary>How many symbols there are.</summary>
    [Bounds(2, 1024)]
    public int Symbols { get; init; } = 8;

    /// <summary>How many hidden states there are.</summary>
    [Bounds(1, 256)]
    public int States { get; init; } = 6;

    /// <summary>How uneven probabilities are: e^(spread · n) over their sum, n of the standard normal distribution. With 0 all are alike.</summary>
    [Bounds(0, 10)]
    public double Spread { get; init; } = 2;

    /// <inheritdoc/>
    public override int Vocab => Symbols;

    /// <inheritdoc/>
    public override LearningTask Open(TaskContext context) => new HiddenMarkov(this, context, new HiddenMarkovSource(Symbols, States, Spread, SplitSeed, WorkOf(context)));

    /// <summary>With one state, which is quick to make.</summary>
    public override LearningTask Sketch(TaskContext context) => new HiddenMarkov(this, context, new HiddenMarkovSource(Symbols, states: 1, spread: 0, SplitSeed));

    /// <inheritdoc/>
    protected override string VocabOf(string path) => $"{path}.symbols = {Symbols}";
}

internal sealed class HiddenMarkov(HiddenMarkovConfig config, TaskContext context, HiddenMarkovSource source) : SourceTask(config, context, source)
{
    public override IEnumerable<string> Describe() => [$"a hidden Markov source: {config.States} states, {config.Symbols} symbols"];
}

/// <summary>Symbols by states that are not seen.</summary>
internal sealed class HiddenMarkovSource : Source
{
    // Sums of probabilities: from state to state, of the symbols of a state, of the first state.
    private readonly double[][] _moves;
    private readonly double[][] _says;
    private readonly double[] _first;
    private readonly double[] _now;
    private readonly double[] _next;

    public HiddenMarkovSource(int symbols, int states, double spread, long seed, LongWork? work = null)
    {
        Symbols = symbols;
        var draws = RowDraws.OfTables(seed);
        (_moves, _says) = (new double[states][], new double[states][]);
        for (int state = 0; state < states; state++)
        {
            _moves[state] = DrawSums(ref draws, states, spread);
            _says[state] = DrawSums(ref draws, symbols, spread);
        }

        (_first, _) = Stationary(states, states * states, Move, work);
        for (int state = 1; state < states; state++)
        {
            _first[state] += _first[state - 1];
        }

        (_now, _next) = (new double[states], new double[states]);
    }

    public override int Symbols { get; }

    public override void Draw(ref RowDraws draws, Span<int> symbols)
    {
        int state = Pick(ref draws, _first);
        foreach (ref int symbol in symbols)
        {
            symbol = Pick(ref draws, _says[state]);
            state = Pick(ref draws, _moves[state]);
        }
    }

    // The forward algorithm (Baum): how likely each state is, given all symbols so far. Not for several threads at a time.
    public override double Nats(ReadOnlySpan<int> symbols)
    {
        double nats = 0;
        for (int state = 0; state < _now.Length; state++)
        {
            _now[state] = Probability(_first, state);
        }

        for (int t = 0; t < symbols.Length; t++)
        {
            double sum = 0;
            for (int state = 0; state < _now.Length; state++)
            {
                sum += _now[state] *= Probability(_says[state], symbols[t]);
            }

            nats -= t > 0 ? Math.Log(sum) : 0;
            for (int state = 0; state < _now.Length; state++)
            {
                _now[state] /= sum;
            }

            Array.Clear(_next);
            Move(_now, _next);
            _next.CopyTo(_now, 0);
        }

        return nats;
    }

    private void Move(double[] now, double[] next)
    {
        for (int from = 0; from < now.Length; from++)
        {
            for (int to = 0; to < now.Length; to++)
            {
                next[to] += now[from] * Probability(_moves[from], to);
            }
        }
    }
}

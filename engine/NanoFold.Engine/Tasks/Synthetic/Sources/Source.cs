namespace NanoFold.Engine.Tasks;

/// <summary>A random source of symbols that is known: it draws them, and says how likely they are.</summary>
internal abstract class Source
{
    /// <summary>How many symbols there are.</summary>
    public abstract int Symbols { get; }

    /// <summary>Draws a sequence; allocates nothing.</summary>
    public abstract void Draw(ref RowDraws draws, Span<int> symbols);

    /// <summary>Σ −ln p(symbol | those before it) of a sequence, without the first, in nats: no one who knows only what came before can do better on average. Infinite of one that it never draws.</summary>
    public abstract double Nats(ReadOnlySpan<int> symbols);

    /// <summary>
    /// Probabilities of <paramref name="count"/> outcomes, as their sums up to each: weights e^(s·n) with n of the standard normal distribution, over their sum. With
    /// s = 0 all are alike, the larger s is the rarer are those that matter.
    /// </summary>
    public static double[] DrawSums(ref RowDraws draws, int count, double spread)
    {
        double[] sums = new double[count];
        double sum = 0;
        for (int i = 0; i < count; i++)
        {
            sums[i] = sum += Math.Exp(spread * draws.Normal());
        }

        for (int i = 0; i < count; i++)
        {
            sums[i] /= sum;
        }

        return sums;
    }

    /// <summary>An outcome by the sums of their probabilities.</summary>
    public static int Pick(ref RowDraws draws, ReadOnlySpan<double> sums)
    {
        double at = draws.Uniform() * sums[^1];
        int outcome = 0;
        while (outcome < sums.Length - 1 && sums[outcome] <= at)
        {
            outcome++;
        }

        return outcome;
    }

    /// <summary>What the sums are of.</summary>
    public static double Probability(ReadOnlySpan<double> sums, int outcome) => sums[outcome] - (outcome > 0 ? sums[outcome - 1] : 0);

    /// <summary>How often each state is met in a long walk: p = p P, by repeated steps from all alike.</summary>
    /// <param name="states">How many.</param>
    /// <param name="entries">Of P that a step goes through: large tables get fewer steps, so that none takes more than about a second.</param>
    /// <param name="step">Adds to its second argument what a step makes of its first.</param>
    /// <param name="work">Looked at before each step.</param>
    /// <returns>And whether they have settled.</returns>
    public static (double[] Met, bool IsSettled) Stationary(int states, long entries, Action<double[], double[]> step, LongWork? work = null)
    {
        double[] now = new double[states], next = new double[states];
        Array.Fill(now, 1.0 / states);
        for (int round = 0; round < Math.Min(MostRounds, MostWork / entries); round++)
        {
            work?.Look();
            Array.Clear(next);
            step(now, next);
            double change = 0;
            for (int i = 0; i < states; i++)
            {
                change += Math.Abs(next[i] - now[i]);
            }

            (now, next) = (next, now);
            if (change < 1e-13)
            {
                return (now, true);
            }
        }

        return (now, false);
    }

    private const long MostRounds = 10_000, MostWork = 300_000_000;
}

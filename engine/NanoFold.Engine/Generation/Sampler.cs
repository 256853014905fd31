using System.Numerics;
using NanoFold.Engine.Configuration;
using NanoFold.Kernels;

namespace NanoFold.Engine.Generation;

/// <summary>
/// Draws the next token from logits, in this order: repetition penalty, temperature, top-k, top-p over what top-k left, min-p. Weights are
/// exp((l − max) / temperature) in double; among equal logits the smaller id counts as the likelier one. The draw is a pure function of seed,
/// number and the count of tokens before it, so that continuing a text from its own end goes on the same way. No managed allocation per token.
/// </summary>
/// <remarks>
/// Penalty: CTRL (arXiv 1909.05858), for negative logits turned round so that it always makes a token less likely. Top-p: nucleus sampling
/// (arXiv 1904.09751). Min-p: arXiv 2407.01082.
/// </remarks>
public sealed class Sampler
{
    // Logits are floats: a sum that misses a threshold by less than their rounding has reached it.
    private const double Tolerance = 1e-6;

    private readonly GenerationConfig _options;
    private readonly ulong _seed;
    private readonly int[] _penalized;
    private readonly ulong[] _keys;
    private readonly double[] _weights;
    private readonly PriorityQueue<ulong, ulong> _largest;
    private int _draws;

    /// <param name="options">Checked here.</param>
    /// <param name="vocab">V, the number of logits.</param>
    /// <param name="seed">Key of the random numbers.</param>
    /// <exception cref="ConfigException">An option is out of its range.</exception>
    public Sampler(GenerationConfig options, int vocab, ulong seed)
    {
        OptionCheck.Validate(options);
        _options = options;
        _seed = seed;
        _penalized = new int[vocab];
        _keys = new ulong[vocab];
        _weights = new double[vocab];
        _largest = new PriorityQueue<ulong, ulong>(Math.Min(options.TopK, vocab) + 1);
    }

    /// <summary>The next token.</summary>
    /// <param name="logits">[V]; changed by the repetition penalty.</param>
    /// <param name="tokens">Prompt and output so far.</param>
    /// <param name="number">Of the sample, among those of one prompt.</param>
    /// <param name="promptTokens">How many of the tokens are the prompt's.</param>
    /// <exception cref="UserException">A logit is not a number or infinitely large.</exception>
    public int Next(Span<float> logits, ReadOnlySpan<int> tokens, int number, int promptTokens = 0)
    {
        if (logits.Length != _keys.Length)
        {
            throw new ArgumentException($"sampler: {logits.Length} logits; expected {_keys.Length}");
        }

        Penalize(logits, _options.PenalizePrompt ? tokens : tokens[promptTokens..]);
        int likeliest = Likeliest(logits);
        if (_options.Temperature == 0)
        {
            return likeliest;
        }

        // Without top-k the weight of place i is that of token i; ids are only written down where places are not ids.
        bool keepsAll = !(_options.TopK > 0 && _options.TopK < logits.Length);
        int count = keepsAll ? logits.Length : KeepLargest(logits);
        double total = keepsAll ? WeighAll(logits, logits[likeliest]) : Weigh(logits, count, logits[likeliest]);
        if (_options.TopP < 1)
        {
            (count, total) = KeepNucleus(logits, count, total, ref keepsAll);
        }

        if (_options.MinP > 0)
        {
            // The likeliest token's weight is 1.
            (count, total) = KeepAbove(_options.MinP * (1 - Tolerance), logits, count, ref keepsAll);
        }

        int drawn = Draw(count, total * Uniform(number, tokens.Length));
        return keepsAll ? drawn : Id(_keys[drawn]);
    }

    private void Penalize(Span<float> logits, ReadOnlySpan<int> tokens)
    {
        if (_options.RepetitionPenalty == 1)
        {
            return;
        }

        // A token is penalized once, however often it is there; the mark of an earlier draw is not this one's.
        _draws++;
        float penalty = (float)_options.RepetitionPenalty;
        foreach (int token in tokens)
        {
            if ((uint)token < (uint)logits.Length && _penalized[token] != _draws)
            {
                _penalized[token] = _draws;
                logits[token] = logits[token] > 0 ? logits[token] / penalty : logits[token] * penalty;
            }
        }
    }

    private static int Likeliest(ReadOnlySpan<float> logits)
    {
        float largest = Largest(logits);
        if (float.IsNegativeInfinity(largest))
        {
            throw new UserException("model: all logits are -Infinity; its weights are damaged or its training diverged");
        }

        for (int i = 0, step = Vector<float>.Count; ; i += step)
        {
            // The first place of the first vector that has it.
            if (i + step > logits.Length || Vector.EqualsAny(new Vector<float>(logits[i..]), new Vector<float>(largest)))
            {
                while (logits[i] != largest)
                {
                    i++;
                }

                return i;
            }
        }
    }

    private static float Largest(ReadOnlySpan<float> logits)
    {
        var highest = new Vector<float>(float.NegativeInfinity);
        var areFinite = Vector<int>.AllBitsSet;
        int i = 0;
        for (; i + Vector<float>.Count <= logits.Length; i += Vector<float>.Count)
        {
            var some = new Vector<float>(logits[i..]);
            // False for what is not a number too.
            areFinite &= Vector.LessThan(some, new Vector<float>(float.PositiveInfinity));
            highest = Vector.Max(some, highest);
        }

        float largest = float.NegativeInfinity;
        for (int lane = 0; lane < Vector<float>.Count; lane++)
        {
            largest = Math.Max(largest, highest[lane]);
        }

        bool isFinite = areFinite == Vector<int>.AllBitsSet;
        for (; i < logits.Length; i++)
        {
            isFinite &= logits[i] < float.PositiveInfinity;
            largest = Math.Max(largest, logits[i]);
        }

        for (i = 0; !isFinite; i++)
        {
            if (!(logits[i] < float.PositiveInfinity))
            {
                throw new UserException(FormattableString.Invariant($"model: the logit of token {i} is {logits[i]}; its weights are damaged or its training diverged"));
            }
        }

        return largest;
    }

    private int KeepLargest(ReadOnlySpan<float> logits)
    {
        _largest.Clear();
        int i = 0;
        for (; i < _options.TopK; i++)
        {
            ulong key = Key(logits[i], i);
            _largest.Enqueue(key, key);
        }

        // Of equal logits the first ones are kept, so that only larger ones than the least that is kept count.
        float least = logits[Id(_largest.Peek())];
        for (; i < logits.Length; i++)
        {
            while (i + Vector<float>.Count <= logits.Length && !Vector.GreaterThanAny(new Vector<float>(logits[i..]), new Vector<float>(least)))
            {
                i += Vector<float>.Count;
            }

            if (i < logits.Length && logits[i] > least)
            {
                ulong key = Key(logits[i], i);
                _largest.EnqueueDequeue(key, key);
                least = logits[Id(_largest.Peek())];
            }
        }

        int count = _largest.Count;
        for (i = 0; i < count; i++)
        {
            _keys[i] = _largest.Dequeue();
        }

        return count;
    }

    // Of every token, in their order.
    private double WeighAll(ReadOnlySpan<float> logits, float largest)
    {
        int step = Vector<double>.Count, i = 0;
        var shift = new Vector<double>(largest);
        var temperature = new Vector<double>(_options.Temperature);
        Vector<double> sums = default;
        for (; i + (2 * step) <= logits.Length; i += 2 * step)
        {
            Vector.Widen(new Vector<float>(logits[i..]), out Vector<double> first, out Vector<double> second);
            first = Vector.Exp((first - shift) / temperature);
            second = Vector.Exp((second - shift) / temperature);
            first.CopyTo(_weights, i);
            second.CopyTo(_weights, i + step);
            sums += first + second;
        }

        double total = Vector.Sum(sums);
        for (; i < logits.Length; i++)
        {
            _weights[i] = Math.Exp(((double)logits[i] - largest) / _options.Temperature);
            total += _weights[i];
        }

        return total;
    }

    private double Weigh(ReadOnlySpan<float> logits, int count, float largest)
    {
        double total = 0;
        for (int i = 0; i < count; i++)
        {
            _weights[i] = Math.Exp(((double)logits[Id(_keys[i])] - largest) / _options.Temperature);
            total += _weights[i];
        }

        return total;
    }

    // The fewest of the likeliest whose weights reach the share.
    private (int Count, double Total) KeepNucleus(ReadOnlySpan<float> logits, int count, double total, ref bool keepsAll)
    {
        // Those below this weight do not make up together what is too much, so they are not needed and not sorted; of fewer, more are below.
        int candidates = count, before;
        double left = total;
        do
        {
            before = candidates;
            (candidates, left) = KeepAbove((left - (_options.TopP * total)) / candidates, logits, candidates, ref keepsAll);
        }
        while (candidates < before - (before / 4));
        _keys.AsSpan(0, candidates).Sort(_weights.AsSpan(0, candidates));
        double kept = 0;
        int first = candidates;
        while (first > 0 && kept < _options.TopP * total * (1 - Tolerance))
        {
            kept += _weights[--first];
        }

        _keys.AsSpan(first, candidates - first).CopyTo(_keys);
        _weights.AsSpan(first, candidates - first).CopyTo(_weights);
        return (candidates - first, kept);
    }

    private (int Count, double Total) KeepAbove(double least, ReadOnlySpan<float> logits, int count, ref bool keepsAll)
    {
        int kept = 0;
        double total = 0;
        for (int i = 0; i < count; i++)
        {
            if (_weights[i] >= least)
            {
                _keys[kept] = keepsAll ? Key(logits[i], i) : _keys[i];
                _weights[kept++] = _weights[i];
                total += _weights[i];
            }
        }

        keepsAll = false;
        return (kept, total);
    }

    // A place.
    private int Draw(int count, double at)
    {
        int drawn = -1;
        for (int i = 0; i < count; i++)
        {
            if (_weights[i] > 0)
            {
                // Should rounding leave something of the total, the last one gets it.
                drawn = i;
                at -= _weights[i];
                if (at < 0)
                {
                    break;
                }
            }
        }

        return drawn;
    }

    // In [0, 1), with 53 bits.
    private double Uniform(int number, int position)
    {
        (uint low, uint high, _, _) = Philox.Next(_seed, (ulong)position, (ulong)number);
        return (((ulong)high << 32 | low) >> 11) * (1.0 / (1L << 53));
    }

    // Orders as logits do, upwards, and among equal ones (0 and −0 too) by falling id.
    private static ulong Key(float logit, int id)
    {
        uint bits = BitConverter.SingleToUInt32Bits(logit + 0f);
        uint ordered = (int)bits < 0 ? ~bits : bits | 0x80000000;
        return (ulong)ordered << 32 | ~(uint)id;
    }

    private static int Id(ulong key) => (int)~(uint)key;
}

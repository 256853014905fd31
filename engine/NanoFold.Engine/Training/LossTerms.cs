using System.Runtime.CompilerServices;
using NanoFold.Kernels;

namespace NanoFold.Engine.Training;

/// <summary>
/// What a training step adds to the loss for the gradients' sake, with its factors: the terms that the recording has (<see cref="Autograd.Tape.AddLossTerm"/>),
/// each with the key under which it is reported. A loss is nats per token wherever it is reported, so that training and validation compare.
/// </summary>
public readonly struct LossTerms : IEquatable<LossTerms>
{
    // Terms that files have in this order, whichever is recorded first; others follow as they are recorded.
    private static readonly string[] s_first = ["balanceLoss", "zLoss", "indexLoss"];

    private readonly LossTerm[]? _recorded;
    private readonly TermValues _values;

    private LossTerms(StepState state, LossTerm[] recorded)
    {
        _recorded = recorded;
        for (int i = 0; i < recorded.Length; i++)
        {
            _values[i] = state.GetDouble(recorded[i].Slot);
        }
    }

    /// <summary>How many the recording has.</summary>
    public int Count => _recorded?.Length ?? 0;

    /// <summary>Whether all are numbers: otherwise nothing is updated.</summary>
    public bool IsFinite
    {
        get
        {
            double sum = 0;
            for (int i = 0; i < Count; i++)
            {
                sum += _values[i];
            }

            return double.IsFinite(sum);
        }
    }

    /// <summary>A term's key in files and its value.</summary>
    public (string Key, double Value) this[int index] => index < Count
        ? (_recorded![index].Key, _values[index])
        : throw new ArgumentOutOfRangeException(nameof(index));

    /// <summary>The term of a key; null where the recording has none.</summary>
    public double? this[string key]
    {
        get
        {
            int index = Array.FindIndex(_recorded ?? [], term => term.Key == key);
            return index < 0 ? null : _values[index];
        }
    }

    public static bool operator ==(LossTerms left, LossTerms right) => left.Equals(right);

    public static bool operator !=(LossTerms left, LossTerms right) => !left.Equals(right);

    public bool Equals(LossTerms other)
    {
        bool equal = Count == other.Count;
        for (int i = 0; equal && i < Count; i++)
        {
            equal = this[i] == other[i];
        }

        return equal;
    }

    public override bool Equals(object? obj) => obj is LossTerms other && Equals(other);

    public override int GetHashCode() => Count == 0 ? 0 : HashCode.Combine(Count, _values[0]);

    /// <summary>Terms in the order in which they are reported.</summary>
    internal static LossTerm[] InOrder(IEnumerable<LossTerm> recorded) =>
        [.. recorded.OrderBy(term => Array.IndexOf(s_first, term.Key) is var known && known < 0 ? s_first.Length : known)];

    /// <summary>Reads what a step added up.</summary>
    internal static LossTerms Of(StepState state, LossTerm[] recorded) => new(state, recorded);

    [InlineArray(StepState.MostTerms)]
    private struct TermValues
    {
        private double _first;
    }
}

using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Experts;

/// <summary>The k largest of score + bias of each token, of all experts or of those in its worthiest groups; see <see cref="Calls.ExpertChoiceCall"/>.</summary>
internal unsafe struct ChoiceWork : ILaneWork
{
    public byte* Scores;
    public long ScoreStride;

    /// <summary>Null for none.</summary>
    public void* Bias;
    public int* Indices;
    public long Tokens;
    public int TokensPerItem;
    public int Slots;
    public int Experts;
    public int Groups;
    public int ActiveGroups;

    public readonly void Invoke<V>(long item, int worker)
        where V : struct, ICpuLane<V>
    {
        double* values = stackalloc double[Experts], worths = stackalloc double[Groups];
        bool* isTaken = stackalloc bool[Experts];
        long end = Math.Min((item + 1) * TokensPerItem, Tokens);
        for (long token = item * TokensPerItem; token < end; token++)
        {
            byte* scores = Scores + token * ScoreStride * V.Type.Size();
            for (int e = 0; e < Experts; e++)
            {
                double value = Element.Get<V>(scores, e) + (Bias is null ? 0 : Element.Get<V>(Bias, e));
                values[e] = V.Type == DType.Float64 ? value : (float)value;
            }

            if (Groups > 1)
            {
                LeaveOutGroups<V>(values, worths, isTaken);
            }

            new Span<bool>(isTaken, Experts).Clear();
            for (int slot = 0; slot < Slots; slot++)
            {
                Indices[token * Slots + slot] = TakeLargest(values, isTaken, Experts);
            }
        }
    }

    private readonly void LeaveOutGroups<V>(double* values, double* worths, bool* isTaken)
        where V : struct, ICpuLane<V>
    {
        int size = Experts / Groups;
        for (int group = 0; group < Groups; group++)
        {
            double first = double.NegativeInfinity, second = first;
            for (int e = group * size; e < (group + 1) * size; e++)
            {
                (first, second) = values[e] > first ? (values[e], first) : (first, Math.Max(second, values[e]));
            }

            worths[group] = V.Type == DType.Float64 ? first + second : (float)(first + second);
        }

        new Span<bool>(isTaken, Groups).Clear();
        for (int i = 0; i < ActiveGroups; i++)
        {
            TakeLargest(worths, isTaken, Groups);
        }

        for (int e = 0; e < Experts; e++)
        {
            values[e] = isTaken[e / size] ? values[e] : 0;
        }
    }

    // There is always one, whatever the values are: of what is no number, the first.
    private static int TakeLargest(double* values, bool* isTaken, int count)
    {
        int largest = -1;
        for (int i = 0; i < count; i++)
        {
            if (!isTaken[i] && (largest < 0 || values[i] > values[largest]))
            {
                largest = i;
            }
        }

        isTaken[largest] = true;
        return largest;
    }
}

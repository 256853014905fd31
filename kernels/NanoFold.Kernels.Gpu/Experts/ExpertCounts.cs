using ILGPU;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Experts;

/// <summary>Keeps the first slots of each expert in each sequence, and counts all of them; an expert of a sequence a thread.</summary>
internal struct ExpertCapacityWork : IGpuWork<ExpertCapacityWork>
{
    public ArrayView<int> Indices, Kept;

    /// <summary>[expert, sequence].</summary>
    public ArrayView<int> Counts;
    public int Sequences, Experts, SlotsPerSequence, Capacity;

    public static void Run(ExpertCapacityWork w)
    {
        long i = (long)Grid.IdxX * Group.DimX + Group.IdxX;
        int expert = (int)(i / w.Sequences), sequence = (int)(i % w.Sequences), count = 0;
        if (expert >= w.Experts)
        {
            return;
        }

        for (int slot = sequence * w.SlotsPerSequence; slot < (sequence + 1) * w.SlotsPerSequence; slot++)
        {
            if (w.Indices[slot] == expert)
            {
                w.Kept[slot] = count < w.Capacity ? expert : -1;
                count++;
            }
        }

        w.Counts[i] = count;
    }
}

/// <summary>Where experts begin, of scanned counts [expert, sequence]; an expert a thread, and one for the end.</summary>
internal struct ExpertStartsWork : IGpuWork<ExpertStartsWork>
{
    public ArrayView<int> Starts, Routed;
    public int Sequences, Experts, Slots;

    public static void Run(ExpertStartsWork w)
    {
        int expert = Grid.IdxX * Group.DimX + Group.IdxX;
        if (expert <= w.Experts)
        {
            w.Routed[expert] = expert < w.Experts ? w.Starts[expert * w.Sequences] : w.Slots;
        }
    }
}

/// <summary>counts[e] += what went to e, counts[E] += what was dropped; an expert a thread, and one for what was dropped.</summary>
internal struct ExpertTallyWork : IGpuWork<ExpertTallyWork>
{
    public ArrayView<int> Routed, Kept, Counts;
    public int Experts;

    public static void Run(ExpertTallyWork w)
    {
        int e = Grid.IdxX * Group.DimX + Group.IdxX;
        if (e < w.Experts)
        {
            w.Counts[e] += w.Routed[e + 1] - w.Routed[e];
        }
        else if (e == w.Experts)
        {
            w.Counts[e] += w.Routed[e] - w.Kept[e];
        }
    }
}

/// <summary>bias[e] += rate · sign(Σ counts − E · count[e]), by one group; nothing where the step is not one.</summary>
internal struct ExpertBiasWork : IGpuWork<ExpertBiasWork>
{
    public ArrayView<int> Counts;
    public ArrayView<float> Bias;
    public ArrayView<long> State;
    public int Experts;
    public float Rate;

    public static void Run(ExpertBiasWork w)
    {
        ArrayView<double> shared = SharedMemory.Allocate<double>(GroupReduce.Most);
        double sum = 0;
        for (int e = Group.IdxX; e < w.Experts; e += Group.DimX)
        {
            sum += w.Counts[e];
        }

        // Whole numbers: exact in any order.
        sum = GroupReduce.Sum(shared, sum);
        if (Slots.Double(w.State, StepSlot.GradientScale) == 0)
        {
            return;
        }

        for (int e = Group.IdxX; e < w.Experts; e += Group.DimX)
        {
            double above = sum - (double)w.Experts * w.Counts[e];
            w.Bias[e] += above > 0 ? w.Rate : above < 0 ? -w.Rate : 0;
        }
    }
}

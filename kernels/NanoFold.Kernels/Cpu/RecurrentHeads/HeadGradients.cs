using NanoFold.Kernels.Calls.RecurrentHeads;
using NanoFold.Kernels.Cpu.Attention;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.RecurrentHeads;

/// <summary>Where the gradients of a backward pass come from and go to.</summary>
internal readonly unsafe struct HeadGradients
{
    public readonly HeadRows DY, DQ, DK, DV;
    public readonly HeadParts Parts;
    public readonly void* Final, DFinal, DInitial;
    public readonly bool AccumulateInitial;
    private readonly PlaceValues _dDecay, _dBeta;
    private readonly bool _accumulateQ, _accumulateK, _accumulateV, _accumulateDecay, _accumulateBeta;
    private readonly void* _partial;

    public HeadGradients(in RecurrentHeadsBackwardCall call, in HeadParts parts)
    {
        Parts = parts;
        DY = new HeadRows(call.DY);
        DQ = new HeadRows(call.DQ);
        DK = new HeadRows(call.DK);
        DV = new HeadRows(call.DV);
        Final = call.Final.Address;
        DFinal = call.DFinal.Address;
        DInitial = call.DInitial.Address;
        AccumulateInitial = call.AccumulateInitial;
        _dDecay = new PlaceValues(call.DDecay);
        _dBeta = new PlaceValues(call.DBeta);
        _accumulateQ = call.AccumulateQ;
        _accumulateK = call.AccumulateK;
        _accumulateV = call.AccumulateV;
        _accumulateDecay = call.AccumulateDecay;
        _accumulateBeta = call.AccumulateBeta;
        _partial = call.Scratch.Address;
    }

    /// <summary>Lets the products of a chunk fetch the rows that its gradients go to.</summary>
    public void Fetch<V>(FetchAhead* ahead, in HeadsProblem problem, in ChunkBackwardWork.Place at)
        where V : struct, ICpuLane<V>
    {
        int group = problem.Group(at.Head);
        ahead->Add<V>(DV, at.Batch, at.First, at.Head, at.Count, problem.ValueWidth);
        if (!_dDecay.IsNone && problem.Decay == HeadDecay.Vector)
        {
            ahead->Add<V>(_dDecay.At<V>(at.Batch, at.First, at.Head), _dDecay.Time, at.Count, problem.KeyWidth);
        }

        if (Parts.Count == 1)
        {
            ahead->Add<V>(DQ, at.Batch, at.First, group, at.Count, problem.KeyWidth);
            ahead->Add<V>(DK, at.Batch, at.First, group, at.Count, problem.KeyWidth);
        }
    }

    /// <summary>dv and dβ of a chunk: dv is dU, or −W of the delta rule, dβ_t = z_t · e_t.</summary>
    public void WriteValues<V>(in BackwardScratch scratch, in HeadsProblem problem, in ChunkBackwardWork.Place at)
        where V : struct, ICpuLane<V>
    {
        if (!DV.IsNone)
        {
            void* target = DV.Row<V>(at.Batch, at.First, at.Head);
            void* source = problem.HasBeta ? scratch.Reads : scratch.UpdateGradients;
            ChunkRows.Store<V>(source, scratch.Width, target, DV.Time, at.Count, problem.ValueWidth, problem.HasBeta ? -1 : 1, _accumulateV);
        }

        for (nint i = 0; !_dBeta.IsNone && i < at.Count; i++)
        {
            nint row = i * scratch.Width;
            double sum = HeadRow.Dot<V>(Element.At<V>(scratch.UpdateGradients, row), Element.At<V>(scratch.Values, row), problem.ValueWidth);
            Write<V>(_dBeta.At<V>(at.Batch, at.First + (int)i, at.Head), sum, _accumulateBeta);
        }
    }

    /// <summary>
    /// Gradients of the logarithms of the factors. A factor of place l is on every way from a place before l to one not before it. Ways end where q, or k as it
    /// is read, meets the state and begin where k is written, so what crosses l is Σ_{t≥l} (q_t dq_t + k_t dk_t as read − k_t dk_t as written) and what goes on
    /// through the state after the chunk.
    /// </summary>
    public void WriteDecay<V>(in BackwardScratch scratch, in HeadsProblem problem, in ChunkBackwardWork.Place at)
        where V : struct, ICpuLane<V>
    {
        if (_dDecay.IsNone)
        {
            return;
        }

        ChunkScores scores = scratch.Scores;
        void* sums = scratch.DecaySums;
        HeadRow.Zero<V>(sums, scores.Width);
        if (at.After is not null)
        {
            HeadRow.Dots<V>(at.After, problem.ValueWidth, scratch.StateGradient, scratch.Width, problem.KeyWidth, problem.ValueWidth, sums);
        }

        for (int i = at.Count - 1; i >= 0; i--)
        {
            nint row = (nint)i * scores.Width;
            bool continues = problem.Continues<V>(at.Batch, at.First + i);
            void* target = _dDecay.At<V>(at.Batch, at.First + i, at.Head);
            V all = V.Constant(0);
            for (nint d = 0; d < scores.Width; d += V.Width)
            {
                V sum = V.MultiplyAdd(V.Load(scores.Queries, row + d), V.Load(scratch.QueryGradients, row + d), V.Load(sums, d));
                V ofKeys = -V.Load(scratch.WrittenGradients, row + d);
                if (problem.HasBeta)
                {
                    ofKeys += V.Load(scratch.ReadGradients, row + d);
                }

                sum = continues ? V.MultiplyAdd(V.Load(scores.Keys, row + d), ofKeys, sum) : V.Constant(0);
                V.Store(sums, d, sum);
                all += sum;
                if (problem.Decay != HeadDecay.Vector)
                {
                    continue;
                }

                if (d + V.Width <= problem.KeyWidth)
                {
                    V.Store(target, d, _accumulateDecay ? V.Load(target, d) + sum : sum);
                }
                else
                {
                    int rest = (int)(problem.KeyWidth - d);
                    V.StorePart(target, d, rest, _accumulateDecay ? V.LoadPart(target, d, rest) + sum : sum);
                }
            }

            if (problem.Decay != HeadDecay.Vector)
            {
                Write<V>(target, V.Sum(all), _accumulateDecay);
            }
        }
    }

    /// <summary>dq and dk of a chunk and a head, added to those of the heads before it that share them.</summary>
    public void WriteKeys<V>(in BackwardScratch scratch, in HeadsProblem problem, in ChunkBackwardWork.Place at, int part, bool isFirst)
        where V : struct, ICpuLane<V>
    {
        int group = problem.Group(at.Head), width = scratch.Scores.Width;
        if (problem.HasBeta)
        {
            HeadRow.AddScaled(V.Constant(1), scratch.ReadGradients, scratch.WrittenGradients, at.Count * width);
        }

        if (Parts.Count > 1)
        {
            nint row = (nint)problem.Groups * problem.KeyWidth;
            void* ofQueries = Partial<V>(problem, part, isKey: false, at.Batch, at.First, group), ofKeys = Partial<V>(problem, part, isKey: true, at.Batch, at.First, group);
            ChunkRows.Store<V>(scratch.QueryGradients, width, ofQueries, row, at.Count, problem.KeyWidth, problem.Scale, !isFirst);
            ChunkRows.Store<V>(scratch.WrittenGradients, width, ofKeys, row, at.Count, problem.KeyWidth, 1, !isFirst);
            return;
        }

        if (!DQ.IsNone)
        {
            ChunkRows.Store<V>(
                scratch.QueryGradients, width, DQ.Row<V>(at.Batch, at.First, group), DQ.Time, at.Count, problem.KeyWidth, problem.Scale, _accumulateQ || !isFirst);
        }

        if (!DK.IsNone)
        {
            ChunkRows.Store<V>(scratch.WrittenGradients, width, DK.Row<V>(at.Batch, at.First, group), DK.Time, at.Count, problem.KeyWidth, 1, _accumulateK || !isFirst);
        }
    }

    /// <summary>Adds the parts of dq and dk of a place in their order.</summary>
    public void AddParts<V>(in HeadsProblem problem, int batch, int time, int group)
        where V : struct, ICpuLane<V>
    {
        AddParts<V>(problem, DQ, isKey: false, _accumulateQ, batch, time, group);
        AddParts<V>(problem, DK, isKey: true, _accumulateK, batch, time, group);
    }

    private void AddParts<V>(in HeadsProblem problem, in HeadRows target, bool isKey, bool accumulate, int batch, int time, int group)
        where V : struct, ICpuLane<V>
    {
        if (target.IsNone)
        {
            return;
        }

        void* to = target.Row<V>(batch, time, group);
        for (nint i = 0; i < problem.KeyWidth; i += V.Width)
        {
            int rest = (int)Math.Min(V.Width, problem.KeyWidth - i);
            V sum = V.LoadPart(Partial<V>(problem, 0, isKey, batch, time, group), i, rest);
            for (int part = 1; part < Parts.Count; part++)
            {
                sum += V.LoadPart(Partial<V>(problem, part, isKey, batch, time, group), i, rest);
            }

            V.StorePart(to, i, rest, accumulate ? V.LoadPart(to, i, rest) + sum : sum);
        }
    }

    private void* Partial<V>(in HeadsProblem problem, int part, bool isKey, int batch, int time, int group)
        where V : struct, ICpuLane<V>
    {
        long row = ((((long)batch * problem.Time) + time) * problem.Groups) + group;
        return Element.At<V>(_partial, checked((nint)((((2 * part) + (isKey ? 1 : 0)) * Parts.PartElements) + (row * problem.KeyWidth))));
    }

    private static void Write<V>(void* target, double value, bool accumulate)
        where V : struct, ICpuLane<V>
        => Element.Set<V>(target, 0, accumulate ? Element.Get<V>(target, 0) + value : value);
}

using NanoFold.Kernels.Calls.RecurrentHeads;
using NanoFold.Kernels.Cpu.Attention;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.RecurrentHeads;

/// <summary>The gradients place after place, in plain loops over all states.</summary>
internal unsafe struct PlainBackwardWork : ILaneWork
{
    public HeadsProblem Problem;
    public RecurrentHeadsBackwardCall Call;

    [System.ThreadStatic]
    private static double[]? s_memory;

    public readonly void Invoke<V>(long item, int worker)
        where V : struct, ICpuLane<V>
    {
        int b = (int)item, dk = Problem.KeyWidth, dv = Problem.ValueWidth, size = dk * dv;
        int states = (Problem.Time + 1) * size, needed = states + size + (Problem.Time * (dv + (2 * dk))) + (8 * (dk + dv));
        if (s_memory is null || s_memory.Length < needed)
        {
            s_memory = new double[needed];
        }

        fixed (double* memory = s_memory)
        {
            double* s = memory, ds = s + states, e = ds + size, a = e + (Problem.Time * dv), da = a + (Problem.Time * dk), row = da + (Problem.Time * dk);
            for (int h = 0; h < Problem.Heads; h++)
            {
                Head<V>(b, h, s, ds, e, a, da, row);
            }
        }
    }

    private readonly void Head<V>(int b, int h, double* s, double* ds, double* e, double* a, double* da, double* row)
        where V : struct, ICpuLane<V>
    {
        int dk = Problem.KeyWidth, dv = Problem.ValueWidth, size = dk * dv, g = Problem.Group(h);
        bool first = h % (Problem.Heads / Problem.Groups) == 0;
        double* dq = row, dkey = row + dk, du = row + (2 * dk);
        void* initial = Problem.Initial<V>(b, h);
        for (int i = 0; i < size; i++)
        {
            s[i] = initial is null ? 0 : Element.Get<V>(initial, i);
            ds[i] = Call.DFinal.IsNone ? 0 : Element.Get<V>(Problem.State<V>(Call.DFinal.Address, b, h), i);
        }

        for (int t = 0; t < Problem.Time; t++)
        {
            void* k = Problem.K.Row<V>(b, t, g), v = Problem.V.Row<V>(b, t, h);
            double* before = s + ((long)t * size), after = before + size;
            for (int d = 0; d < dk; d++)
            {
                double log = Problem.Decay == HeadDecay.None ? 0 : Element.Get<V>(Problem.Decays.At<V>(b, t, h), Problem.Decay == HeadDecay.Vector ? d : 0);
                a[(t * dk) + d] = Problem.Continues<V>(b, t) ? Math.Exp(log) : 0;
            }

            for (int j = 0; j < dv; j++)
            {
                double u = Element.Get<V>(v, j);
                if (Problem.HasBeta)
                {
                    for (int d = 0; d < dk; d++)
                    {
                        u -= a[(t * dk) + d] * before[(d * dv) + j] * Element.Get<V>(k, d);
                    }
                }

                e[(t * dv) + j] = u;
                u *= Problem.HasBeta ? Problem.Beta.Get<V>(b, t, h) : 1;
                for (int d = 0; d < dk; d++)
                {
                    after[(d * dv) + j] = (a[(t * dk) + d] * before[(d * dv) + j]) + (Element.Get<V>(k, d) * u);
                }
            }
        }

        for (int t = Problem.Time - 1; t >= 0; t--)
        {
            void* q = Problem.Q.Row<V>(b, t, g), k = Problem.K.Row<V>(b, t, g), dy = new HeadRows(Call.DY).Row<V>(b, t, h);
            double* before = s + ((long)t * size), after = before + size;
            double beta = Problem.HasBeta ? Problem.Beta.Get<V>(b, t, h) : 1, dBeta = 0;
            for (int d = 0; d < dk; d++)
            {
                dq[d] = dkey[d] = 0;
                for (int j = 0; j < dv; j++)
                {
                    double dyj = Problem.Scale * Element.Get<V>(dy, j);
                    dq[d] += after[(d * dv) + j] * dyj;
                    ds[(d * dv) + j] += Element.Get<V>(q, d) * dyj;
                    dkey[d] += ds[(d * dv) + j] * e[(t * dv) + j] * beta;
                }
            }

            for (int j = 0; j < dv; j++)
            {
                du[j] = 0;
                for (int d = 0; d < dk; d++)
                {
                    du[j] += ds[(d * dv) + j] * Element.Get<V>(k, d);
                }

                dBeta += du[j] * e[(t * dv) + j];
                du[j] *= beta;
            }

            for (int d = 0; d < dk; d++)
            {
                double decay = 0;
                for (int j = 0; j < dv; j++)
                {
                    double faded = a[(t * dk) + d] * before[(d * dv) + j];
                    if (Problem.HasBeta)
                    {
                        dkey[d] -= faded * du[j];
                        ds[(d * dv) + j] -= Element.Get<V>(k, d) * du[j];
                    }

                    decay += faded * ds[(d * dv) + j];
                    ds[(d * dv) + j] *= a[(t * dk) + d];
                }

                da[d] = decay;
            }

            Add<V>(Call.DQ, b, t, g, dq, dk, Call.AccumulateQ || !first);
            Add<V>(Call.DK, b, t, g, dkey, dk, Call.AccumulateK || !first);
            Add<V>(Call.DV, b, t, h, du, dv, Call.AccumulateV);
            if (!Call.DBeta.IsNone)
            {
                Add<V>(new PlaceValues(Call.DBeta).At<V>(b, t, h), &dBeta, 1, Call.AccumulateBeta);
            }

            if (!Call.DDecay.IsNone)
            {
                int width = Problem.Decay == HeadDecay.Vector ? dk : 1;
                for (int d = 1; d < dk && width == 1; d++)
                {
                    da[0] += da[d];
                }

                Add<V>(new PlaceValues(Call.DDecay).At<V>(b, t, h), da, width, Call.AccumulateDecay);
            }
        }

        if (!Call.DInitial.IsNone)
        {
            Add<V>(Problem.State<V>(Call.DInitial.Address, b, h), ds, size, Call.AccumulateInitial);
        }
    }

    private static void Add<V>(in View view, int b, int t, int h, double* values, int count, bool accumulate)
        where V : struct, ICpuLane<V>
    {
        if (!view.IsNone)
        {
            Add<V>(new HeadRows(view).Row<V>(b, t, h), values, count, accumulate);
        }
    }

    private static void Add<V>(void* target, double* values, int count, bool accumulate)
        where V : struct, ICpuLane<V>
    {
        for (int i = 0; i < count; i++)
        {
            Element.Set<V>(target, i, values[i] + (accumulate ? Element.Get<V>(target, i) : 0));
        }
    }
}

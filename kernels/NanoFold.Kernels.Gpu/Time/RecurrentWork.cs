using ILGPU;
using NanoFold.Kernels.Calls.Time;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Time;

/// <summary>The formula of a cell at one place, a unit of a row a thread.</summary>
internal struct RecurrentWork<T, TCell> : IGpuWork<RecurrentWork<T, TCell>>
    where T : unmanaged, IElement<T>
    where TCell : struct, IRecurrentCell
{
    public SequenceView<T> X, H;
    public Seams<T> Seams;
    public ArrayView<T> Bias, Saved;

    /// <summary>[B, S · N]; replaced in place.</summary>
    public ArrayView<float> State;

    /// <summary>W h of this place, [B, G · N].</summary>
    public ArrayView<float> Products;

    public int Threads, Width, Place, HasBias, HasSaved, HasProducts;

    public static void Run(RecurrentWork<T, TCell> w)
    {
        int thread = Grid.IdxX * Group.DimX + Group.IdxX;
        if (thread >= w.Threads)
        {
            return;
        }

        int row = thread / w.Width, unit = thread - row * w.Width;
        if (w.Place >= Seams<T>.Count(w.Seams, row))
        {
            SequenceView<T>.Write(w.H, row, w.Place, unit, 0);
            return;
        }

        TCell.Forward<GpuLane, Step>(new Step(w, row, unit, Seams<T>.Carries(w.Seams, row, w.Place)));
    }

    internal readonly struct Step(RecurrentWork<T, TCell> w, int row, int unit, float carries) : ICellStep<GpuLane>
    {
        public GpuLane Input(int gate) => new(SequenceView<T>.Read(w.X, row, w.Place, gate * w.Width + unit));

        public GpuLane Hidden(int gate)
        {
            float sum = 0;
            if (w.HasProducts != 0 && carries != 0)
            {
                sum = w.Products[((long)row * TCell.Gates + gate) * w.Width + unit];
            }

            if (w.HasBias != 0)
            {
                sum += T.Read(w.Bias[gate * w.Width + unit]);
            }

            return new(sum);
        }

        public GpuLane State(int index)
        {
            float value = 0;
            if (carries != 0)
            {
                value = w.State[((long)row * TCell.States + index) * w.Width + unit];
            }

            return new(value);
        }

        public void Set(int index, GpuLane value)
        {
            w.State[((long)row * TCell.States + index) * w.Width + unit] = value.Value;
            if (index == 0)
            {
                SequenceView<T>.Write(w.H, row, w.Place, unit, value.Value);
            }
        }

        public void Save(int index, GpuLane value)
        {
            if (w.HasSaved != 0)
            {
                w.Saved[(((long)row * w.Seams.Time + w.Place) * TCell.Saved + index) * w.Width + unit] = T.Write(value.Value);
            }
        }
    }
}

/// <summary>The backward formula of a cell at one place, a unit of a row a thread; place −1 stands for the initial state.</summary>
internal struct RecurrentBackwardWork<T, TCell> : IGpuWork<RecurrentBackwardWork<T, TCell>>
    where T : unmanaged, IElement<T>
    where TCell : struct, IRecurrentCell
{
    public SequenceView<T> H, DH, DX;
    public Seams<T> Seams;
    public StateView<T> Initial, DFinal, DInitial;
    public ArrayView<T> Saved;

    /// <summary>Gradients of what states brought to gates, [B, T, G · N].</summary>
    public ArrayView<T> Hidden;

    /// <summary>Gradients of the state before this place: what does not go through the weight, [B, S · N], and what does, [B, N].</summary>
    public ArrayView<float> Direct, Products;

    public int Threads, Width, Place, AccumulateX, AccumulateInitial;

    public static void Run(RecurrentBackwardWork<T, TCell> w)
    {
        int thread = Grid.IdxX * Group.DimX + Group.IdxX;
        if (thread >= w.Threads)
        {
            return;
        }

        int row = thread / w.Width, unit = thread - row * w.Width;
        var step = new Step(w, row, unit);
        if (w.Place >= 0)
        {
            TCell.Backward<GpuLane, Step>(step);
            return;
        }

        for (int state = 0; state < TCell.States; state++)
        {
            StateView<T>.Put(w.DInitial, step.StateAt(state), step.Gradient(state).Value, w.AccumulateInitial);
        }
    }

    internal readonly struct Step(RecurrentBackwardWork<T, TCell> w, int row, int unit) : ICellGradient<GpuLane>
    {
        public GpuLane Before
        {
            get
            {
                float value = 0;
                if (Seams<T>.Carries(w.Seams, row, w.Place) != 0)
                {
                    value = w.Place > 0 ? SequenceView<T>.Read(w.H, row, w.Place - 1, unit) : StateView<T>.Read(w.Initial, StateAt(0));
                }

                return new(value);
            }
        }

        public GpuLane After => new(SequenceView<T>.Read(w.H, row, w.Place, unit));

        public GpuLane Saved(int index) => new(T.Read(w.Saved[(((long)row * w.Seams.Time + w.Place) * TCell.Saved + index) * w.Width + unit]));

        public GpuLane Gradient(int state)
        {
            float sum = 0;
            if (w.Place == w.Seams.Time - 1)
            {
                sum = StateView<T>.Read(w.DFinal, StateAt(state));
            }
            else if (Seams<T>.Carries(w.Seams, row, w.Place + 1) != 0)
            {
                sum = w.Direct[StateAt(state)];
                if (state == 0)
                {
                    sum += w.Products[(long)row * w.Width + unit];
                }
            }

            if (state == 0 && w.Place >= 0 && w.DH.Has != 0)
            {
                sum += SequenceView<T>.Read(w.DH, row, w.Place, unit);
            }

            return new(sum);
        }

        public void SetGate(int gate, GpuLane input, GpuLane hidden)
        {
            w.Hidden[(((long)row * w.Seams.Time + w.Place) * TCell.Gates + gate) * w.Width + unit] = T.Write(hidden.Value);
            if (w.DX.Has != 0)
            {
                SequenceView<T>.Put(w.DX, row, w.Place, gate * w.Width + unit, input.Value, w.AccumulateX);
            }
        }

        public void Set(int state, GpuLane value) => w.Direct[StateAt(state)] = value.Value;

        public long StateAt(int state) => ((long)row * TCell.States + state) * w.Width + unit;
    }
}

/// <summary>A state [B, S · N] to single precision, and its first vector [B, N] to the activations' type; 0 for none.</summary>
internal struct StateCopyWork<T> : IGpuWork<StateCopyWork<T>>
    where T : unmanaged, IElement<T>
{
    public StateView<T> From;
    public ArrayView<float> Single;
    public ArrayView<T> First;
    public int Threads, Width, States;

    public static void Run(StateCopyWork<T> w)
    {
        int thread = Grid.IdxX * Group.DimX + Group.IdxX;
        if (thread >= w.Threads)
        {
            return;
        }

        float value = StateView<T>.Read(w.From, thread);
        w.Single[thread] = value;
        int vector = thread / w.Width, row = vector / w.States;
        if (vector == row * w.States)
        {
            w.First[(long)row * w.Width + thread - vector * w.Width] = T.Write(value);
        }
    }
}

/// <summary>A state in single precision to where it is wanted.</summary>
internal struct StatePutWork<T> : IGpuWork<StatePutWork<T>>
    where T : unmanaged, IElement<T>
{
    public StateView<T> To;
    public ArrayView<float> Single;
    public int Threads;

    public static void Run(StatePutWork<T> w)
    {
        int thread = Grid.IdxX * Group.DimX + Group.IdxX;
        if (thread < w.Threads)
        {
            StateView<T>.Put(w.To, thread, w.Single[thread], 0);
        }
    }
}

/// <summary>The states that each place got, [B · T, N]: h of the place before, the initial one, or 0.</summary>
internal struct StatesBeforeWork<T> : IGpuWork<StatesBeforeWork<T>>
    where T : unmanaged, IElement<T>
{
    public SequenceView<T> H;
    public Seams<T> Seams;
    public StateView<T> Initial;
    public ArrayView<T> Before;
    public int Threads, Width, States;

    public static void Run(StatesBeforeWork<T> w)
    {
        int thread = Grid.IdxX * Group.DimX + Group.IdxX;
        if (thread >= w.Threads)
        {
            return;
        }

        int at = thread / w.Width, unit = thread - at * w.Width, row = at / w.Seams.Time, place = at - row * w.Seams.Time;
        float value = 0;
        if (Seams<T>.Carries(w.Seams, row, place) != 0)
        {
            value = place > 0 ? SequenceView<T>.Read(w.H, row, place - 1, unit) : StateView<T>.Read(w.Initial, (long)row * w.States * w.Width + unit);
        }

        w.Before[thread] = T.Write(value);
    }
}

using System.Runtime.CompilerServices;
using NanoFold.Kernels.Calls.Time;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Time;

/// <summary>
/// One place of a recurrent cell backward, some units of some rows an item: what comes back through the weight from the place after, then the formula.
/// Place −1 stands for the initial state.
/// </summary>
internal unsafe struct RecurrentBackwardWork<TCell> : ILaneWork
    where TCell : struct, IRecurrentCell
{
    public RecurrentPanels Panels;
    public Walk Walk;
    public Steps H;
    public Steps DH;
    public Steps DX;
    public byte* Initial;
    public byte* Saved;
    public byte* DFinal;
    public byte* DInitial;
    public bool AccumulateX;
    public bool AccumulateInitial;

    /// <summary>Panels, turned.</summary>
    public byte* Packed;

    /// <summary>Gradients of what states brought to gates, [B, T, G · N].</summary>
    public byte* Hidden;

    /// <summary>Gradients of the state before this place that do not go through the weight, [B, S · N]; replaced place by place.</summary>
    public byte* Direct;

    public int Place;

    [SkipLocalsInit]
    public readonly void Invoke<V>(long item, int worker)
        where V : struct, ICpuLane<V>
    {
        Panels.Item(item, out int panel, out int first, out int rows);
        Panels.Panel(panel, out int head, out int unit, out int units);
        int size = V.Type.Size(), width = Panels.Width;
        bool isLast = Place == Walk.Time - 1;
        byte* sums = stackalloc byte[RowTiles.MostRows * RowTiles.Units * sizeof(double)];
        if (!isLast)
        {
            Multiply<V>(panel, head, first, rows, sums);
        }

        for (int i = 0; i < rows; i++)
        {
            int row = first + i;
            bool carriesOn = !isLast && Walk.Carries(row, Place + 1, Walk.Time) != 0;
            nint state = ((nint)row * TCell.States * width + unit) * size;
            var at = new Unit
            {
                Products = carriesOn ? sums + i * RowTiles.Units * size : null,
                Direct = Direct + state,
                Final = isLast && DFinal is not null ? DFinal + state : null,
                CarriesOn = carriesOn,
                Width = width,
            };
            if (Place < 0)
            {
                PutInitial<V>(at, DInitial + state, units);
                continue;
            }

            bool carries = Walk.Carries(row, Place, Walk.Time) != 0;
            at.DH = DH.AtOrNull(row, Place, unit);
            at.DX = DX.AtOrNull(row, Place, unit);
            at.Saved = Saved + (((nint)row * Walk.Time + Place) * TCell.Saved * width + unit) * size;
            at.Hidden = Hidden + (((nint)row * Walk.Time + Place) * TCell.Gates * width + unit) * size;
            at.After = H.At(row, Place, unit);
            at.Before = !carries ? null : Place > 0 ? H.At(row, Place - 1, unit) : Initial is null ? null : Initial + state;
            at.AccumulateX = AccumulateX;
            nint u = 0;
            for (; u <= units - V.Width; u += V.Width)
            {
                TCell.Backward<V, CpuGradient<V, Whole<V>>>(new(at, u, 0));
            }

            if (u < units)
            {
                TCell.Backward<V, CpuGradient<V, Part<V>>>(new(at, u, (int)(units - u)));
            }
        }
    }

    /// <summary>sums[row][unit] = Σ over gates and units k of the head: hidden[row, place + 1, gate, k] · weight[gate, k, unit].</summary>
    private readonly void Multiply<V>(int panel, int head, int first, int rows, byte* sums)
        where V : struct, ICpuLane<V>
    {
        int size = V.Type.Size(), depth = Panels.HeadWidth, width = Panels.Width;
        byte** hidden = stackalloc byte*[RowTiles.MostRows];
        new Span<byte>(sums, RowTiles.MostRows * RowTiles.Units * size).Clear();
        byte* packed = Packed + panel * Panels.Elements * size;
        for (int gate = 0; gate < TCell.Gates; gate++)
        {
            for (int i = 0; i < rows; i++)
            {
                hidden[i] = Hidden + ((((nint)(first + i) * Walk.Time + Place + 1) * TCell.Gates + gate) * width + head * depth) * size;
            }

            RowTiles.Multiply<V>(hidden, rows, packed + (nint)gate * depth * RowTiles.Units * size, depth, sums, RowTiles.Units);
        }
    }

    private readonly void PutInitial<V>(in Unit at, byte* target, int units)
        where V : struct, ICpuLane<V>
    {
        for (nint u = 0; u < units; u += V.Width)
        {
            var step = new CpuGradient<V, Part<V>>(at, u, (int)Math.Min(V.Width, units - u));
            for (int state = 0; state < TCell.States; state++)
            {
                step.AddTo(target, state, AccumulateInitial);
            }
        }
    }

    /// <summary>Where the first unit of a row lies in everything; what is none is null.</summary>
    internal struct Unit
    {
        public byte* Products, Direct, Final, DH, DX, Saved, Hidden, After, Before;
        public nint Width;
        public bool CarriesOn, AccumulateX;
    }

    internal readonly struct CpuGradient<V, P>(in Unit unit, nint at, int count) : ICellGradient<V>
        where V : struct, ICpuLane<V>
        where P : struct, IPiece<V>
    {
        private readonly Unit _unit = unit;
        private readonly nint _at = at;
        private readonly int _count = count;

        public V Before
        {
            [MethodImpl(MethodImplOptions.AggressiveInlining)]
            get => _unit.Before is null ? V.Constant(0) : P.Load(_unit.Before, _at, _count);
        }

        public V After
        {
            [MethodImpl(MethodImplOptions.AggressiveInlining)]
            get => P.Load(_unit.After, _at, _count);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Saved(int index) => P.Load(_unit.Saved, index * _unit.Width + _at, _count);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Gradient(int state)
        {
            V sum = V.Constant(0);
            if (_unit.CarriesOn)
            {
                sum = P.Load(_unit.Direct, state * _unit.Width + _at, _count);
                sum = state == 0 ? sum + P.Load(_unit.Products, _at, _count) : sum;
            }
            else if (_unit.Final is not null)
            {
                sum = P.Load(_unit.Final, state * _unit.Width + _at, _count);
            }

            return state == 0 && _unit.DH is not null ? sum + P.Load(_unit.DH, _at, _count) : sum;
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void SetGate(int gate, V input, V hidden)
        {
            nint to = gate * _unit.Width + _at;
            P.Store(_unit.Hidden, to, _count, hidden);
            if (_unit.DX is not null)
            {
                P.Store(_unit.DX, to, _count, _unit.AccumulateX ? P.Load(_unit.DX, to, _count) + input : input);
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Set(int state, V value) => P.Store(_unit.Direct, state * _unit.Width + _at, _count, value);

        /// <summary>Writes the gradient of a vector of the state, or adds it.</summary>
        public void AddTo(byte* target, int state, bool accumulate)
        {
            nint to = state * _unit.Width + _at;
            P.Store(target, to, _count, accumulate ? P.Load(target, to, _count) + Gradient(state) : Gradient(state));
        }
    }
}

/// <summary>The states that each place got, [B, T, N] one after the other: h of the place before, the initial one, or 0.</summary>
internal unsafe struct StatesBeforeWork : IWork
{
    public Walk Walk;
    public Steps H;
    public byte* Initial;
    public nint InitialRow;
    public byte* Before;

    public readonly void Invoke(long item, int worker)
    {
        int row = (int)(item / Walk.Time), place = (int)(item - (long)row * Walk.Time), bytes = Walk.Width * Walk.Size;
        byte* source = Walk.Carries(row, place, Walk.Time) == 0 ? null : place > 0 ? H.At(row, place - 1, 0) : Initial is null ? null : Initial + row * InitialRow;
        var target = new Span<byte>(Before + item * bytes, bytes);
        if (source is null)
        {
            target.Clear();
        }
        else
        {
            new Span<byte>(source, bytes).CopyTo(target);
        }
    }
}

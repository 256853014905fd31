using System.Runtime.CompilerServices;
using NanoFold.Kernels.Calls.Time;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Time;

/// <summary>One place of a recurrent cell, some units of some rows an item: what the state before brings to their gates, then the formula.</summary>
internal unsafe struct RecurrentWork<TCell> : ILaneWork
    where TCell : struct, IRecurrentCell
{
    public RecurrentPanels Panels;
    public Walk Walk;
    public Steps X;
    public Steps H;
    public byte* Bias;
    public byte* Initial;
    public byte* Saved;

    /// <summary>The vectors of the state but the first, [B, (S − 1) · N]; replaced in place.</summary>
    public byte* Others;

    /// <summary>Packed panels, or null where <see cref="Products"/> are made before.</summary>
    public byte* Packed;

    /// <summary>W h of this place, [B, G · N].</summary>
    public byte* Products;

    public int Place;

    /// <summary>The first vector of the state before; null where there is none.</summary>
    public readonly byte* Before(int row) => Place > 0 ? H.At(row, Place - 1, 0) : Initial is null ? null : Initial + (nint)row * TCell.States * Panels.Width * Walk.Size;

    [SkipLocalsInit]
    public readonly void Invoke<V>(long item, int worker)
        where V : struct, ICpuLane<V>
    {
        Panels.Item(item, out int panel, out int first, out int rows);
        Panels.Panel(panel, out int head, out int unit, out int units);
        int size = V.Type.Size(), width = Panels.Width;
        byte* sums = stackalloc byte[RowTiles.MostRows * TCell.Gates * RowTiles.Units * sizeof(double)];
        nint gate = RowTiles.Units, stride = TCell.Gates * gate;
        if (Packed is not null && (Place > 0 || Initial is not null))
        {
            Multiply<V>(panel, head, first, rows, sums);
        }

        for (int i = 0; i < rows; i++)
        {
            int row = first + i;
            if (Place >= Walk.Count(row))
            {
                new Span<byte>(H.At(row, Place, unit), units * size).Clear();
                continue;
            }

            double carries = Walk.Carries(row, Place, Walk.Time);
            byte* before = carries == 0 ? null : Before(row), brought = sums + i * stride * size;
            if (Packed is null)
            {
                brought = Products + ((nint)row * TCell.Gates * width + unit) * size;
                gate = width;
            }

            var step = new Unit
            {
                X = X.At(row, Place, unit),
                Products = before is null ? null : brought,
                Bias = Bias is null ? null : Bias + unit * size,
                Before = before is null ? null : before + unit * size,
                Others = Others is null ? null : Others + ((nint)row * (TCell.States - 1) * width + unit) * size,
                H = H.At(row, Place, unit),
                Saved = Saved is null ? null : Saved + (((nint)row * Walk.Time + Place) * TCell.Saved * width + unit) * size,
                Gate = gate,
                Width = width,
                Carried = carries != 0,
            };
            nint u = 0;
            for (; u <= units - V.Width; u += V.Width)
            {
                TCell.Forward<V, CpuStep<V, Whole<V>>>(new(step, u, 0));
            }

            if (u < units)
            {
                TCell.Forward<V, CpuStep<V, Part<V>>>(new(step, u, (int)(units - u)));
            }
        }
    }

    private readonly void Multiply<V>(int panel, int head, int first, int rows, byte* sums)
        where V : struct, ICpuLane<V>
    {
        int size = V.Type.Size();
        byte** before = stackalloc byte*[RowTiles.MostRows];
        for (int i = 0; i < rows; i++)
        {
            before[i] = Before(first + i) + head * Panels.HeadWidth * size;
        }

        nint stride = TCell.Gates * RowTiles.Units;
        new Span<byte>(sums, (int)(RowTiles.MostRows * stride * size)).Clear();
        byte* packed = Packed + panel * Panels.Elements * size;
        for (int gate = 0; gate < TCell.Gates; gate++)
        {
            RowTiles.Multiply<V>(before, rows, packed + (nint)gate * Panels.HeadWidth * RowTiles.Units * size, Panels.HeadWidth, sums + gate * RowTiles.Units * size, stride);
        }
    }

    /// <summary>Where the first unit of a row lies in everything; what is none is null.</summary>
    internal struct Unit
    {
        public byte* X, Products, Bias, Before, Others, H, Saved;

        /// <summary>Elements between gates of the products.</summary>
        public nint Gate;

        /// <summary>Elements between everything else that there is several of.</summary>
        public nint Width;

        public bool Carried;
    }

    internal readonly struct CpuStep<V, P>(in Unit unit, nint at, int count) : ICellStep<V>
        where V : struct, ICpuLane<V>
        where P : struct, IPiece<V>
    {
        private readonly Unit _unit = unit;
        private readonly nint _at = at;
        private readonly int _count = count;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Input(int gate) => P.Load(_unit.X, gate * _unit.Width + _at, _count);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Hidden(int gate)
        {
            V sum = _unit.Products is null ? V.Constant(0) : P.Load(_unit.Products, gate * _unit.Gate + _at, _count);
            return _unit.Bias is null ? sum : sum + P.Load(_unit.Bias, gate * _unit.Width + _at, _count);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V State(int index) => index > 0
            ? _unit.Carried ? P.Load(_unit.Others, (index - 1) * _unit.Width + _at, _count) : V.Constant(0)
            : _unit.Before is null ? V.Constant(0) : P.Load(_unit.Before, _at, _count);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Set(int index, V value) => P.Store(index > 0 ? _unit.Others : _unit.H, index > 0 ? (index - 1) * _unit.Width + _at : _at, _count, value);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Save(int index, V value)
        {
            if (_unit.Saved is not null)
            {
                P.Store(_unit.Saved, index * _unit.Width + _at, _count, value);
            }
        }
    }
}

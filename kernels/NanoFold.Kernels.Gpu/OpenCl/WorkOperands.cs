using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using ILGPU;
using ILGPU.Runtime;

namespace NanoFold.Kernels.Gpu.OpenCl;

/// <summary>
/// How the fields of a work become operands of its OpenCL kernel: a buffer for each view, then one struct of all fields, laid out as C does, in which a view is its first element and its length.
/// ILGPU's launchers do the same by code that they make for each kernel, which takes 10 ms of every start.
/// </summary>
internal sealed class WorkOperands
{
    // A view in a struct of C#: where its parts are. The collector may have put them in any order.
    private static readonly (int Buffer, int First, int Length) s_view = PartsOfView();

    private readonly List<Piece> _pieces = [];
    private readonly List<(int At, int Bytes)> _numbers = [];
    private readonly List<int> _views = [];

    private WorkOperands(Type work)
    {
        (Bytes, _) = Shape(work);
        Place(work, 0, 0);
    }

    /// <summary>Of the struct.</summary>
    public int Bytes { get; }

    /// <summary>Buffers.</summary>
    public int Views => _views.Count;

    /// <summary>Where numbers lie in the struct, and how long they are.</summary>
    public IReadOnlyList<(int At, int Bytes)> Numbers => _numbers;

    /// <param name="work">The type of a work.</param>
    /// <exception cref="NotSupportedException">It has other fields than numbers, structs of them and views.</exception>
    public static WorkOperands Of(Type work) => new(work);

    /// <summary>Writes the operands of a work.</summary>
    /// <param name="work">It begins here.</param>
    /// <param name="to">The struct, of <see cref="Bytes"/>.</param>
    /// <param name="buffers">Handles of the buffers, of <see cref="Views"/>; 0 for none.</param>
    public void Write(ref byte work, Span<byte> to, Span<nint> buffers)
    {
        to.Clear();
        foreach (Piece piece in _pieces)
        {
            MemoryMarshal.CreateReadOnlySpan(ref Unsafe.AddByteOffset(ref work, piece.From), piece.Bytes).CopyTo(to[piece.To..]);
        }

        for (int i = 0; i < _views.Count; i++)
        {
            buffers[i] = Unsafe.As<byte, MemoryBuffer?>(ref Unsafe.AddByteOffset(ref work, _views[i]))?.NativePtr ?? 0;
        }
    }

    /// <summary>Bytes of a type in C, and what its address is a multiple of. A struct without fields has a byte, as in C#.</summary>
    private static (int Bytes, int Alignment) Shape(Type type)
    {
        if (type.IsPrimitive || type.IsEnum)
        {
            int bytes = SizeOf(type);
            return (bytes, bytes);
        }

        if (IsView(type))
        {
            return (2 * sizeof(long), sizeof(long));
        }

        int end = 0, most = 1;
        foreach (FieldInfo field in Fields(type))
        {
            (int bytes, int alignment) = Shape(field.FieldType);
            end = Align(end, alignment) + bytes;
            most = Math.Max(most, alignment);
        }

        return (Align(Math.Max(end, 1), most), most);
    }

    private void Place(Type type, int from, int to)
    {
        if (IsView(type))
        {
            _views.Add(from + s_view.Buffer);
            Add(from + s_view.First, to, sizeof(long));
            Add(from + s_view.Length, to + sizeof(long), sizeof(long));
            return;
        }

        if (type.IsPrimitive || type.IsEnum)
        {
            Add(from, to, SizeOf(type));
            return;
        }

        int end = to;
        foreach (FieldInfo field in Fields(type))
        {
            (int bytes, int alignment) = Shape(field.FieldType);
            end = Align(end, alignment);
            if (Marked(field.FieldType) is { } mark)
            {
                Place(field.FieldType, from + FirstSet(With(type, field, mark)) - FirstSet(mark), end);
            }

            end += bytes;
        }
    }

    private void Add(int from, int to, int bytes)
    {
        _numbers.Add((to, bytes));
        if (_pieces.Count > 0 && _pieces[^1] is var last && last.From + last.Bytes == from && last.To + last.Bytes == to)
        {
            _pieces[^1] = last with { Bytes = last.Bytes + bytes };
            return;
        }

        _pieces.Add(new Piece(from, to, bytes));
    }

    private static FieldInfo[] Fields(Type type)
        => type.IsValueType && !type.IsExplicitLayout && type.GetCustomAttribute<InlineArrayAttribute>() is null
            ? [.. type.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic).OrderBy(f => f.MetadataToken)]
            : throw new NotSupportedException($"{type}: an operand of an OpenCL kernel is a number, a view, or a struct of such fields in their order");

    /// <summary>A value with some byte that is not 0; null where it has no data.</summary>
    private static object? Marked(Type type)
    {
        object value = RuntimeHelpers.GetUninitializedObject(type);
        if (type.IsPrimitive || type.IsEnum || IsView(type))
        {
            Raw(value)[IsView(type) ? s_view.First : 0] = 1;
            return value;
        }

        foreach (FieldInfo field in Fields(type))
        {
            if (Marked(field.FieldType) is { } mark)
            {
                field.SetValue(value, mark);
                return value;
            }
        }

        return null;
    }

    private static object With(Type type, FieldInfo field, object mark)
    {
        object value = RuntimeHelpers.GetUninitializedObject(type);
        field.SetValue(value, mark);
        return value;
    }

    private static int FirstSet(object value) => Raw(value).IndexOfAnyExcept((byte)0);

    private static Span<byte> Raw(object value) => MemoryMarshal.CreateSpan(ref Unsafe.As<Boxed>(value).First, SizeOf(value.GetType()));

    private static int SizeOf(Type type) => RuntimeHelpers.SizeOf(type.TypeHandle);

    private static int Align(int bytes, int alignment) => (bytes + alignment - 1) / alignment * alignment;

    private static bool IsView(Type type) => type.IsGenericType && type.GetGenericTypeDefinition() == typeof(ArrayView<>);

    private static (int Buffer, int First, int Length) PartsOfView()
    {
        var view = new ArrayView<byte>(null!, 1, 2);
        Span<long> parts = MemoryMarshal.CreateSpan(ref Unsafe.As<ArrayView<byte>, long>(ref view), 3);
        return (sizeof(long) * parts.IndexOf(0), sizeof(long) * parts.IndexOf(1), sizeof(long) * parts.IndexOf(2));
    }

    /// <summary>Bytes of a work and where they go.</summary>
    private readonly record struct Piece(int From, int To, int Bytes);

    /// <summary>What a boxed value is in memory.</summary>
    private sealed class Boxed
    {
        public byte First;
    }
}

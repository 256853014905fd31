using System.Reflection;
using NanoFold.Kernels.Calls.Time;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;
using NanoFold.Kernels.Gpu.Norm;
using NanoFold.Kernels.Gpu.Pointwise;

namespace NanoFold.Kernels.Gpu.Programs;

/// <summary>Every work struct with every type that it is run with: elements, pieces, and formulas.</summary>
/// <param name="formulas">Where formulas of pointwise ops and of updates are found: the engine.</param>
internal sealed class Works(Assembly formulas)
{
    private static readonly Type[] s_elements = [typeof(F32), typeof(BF16), typeof(F16)];
    private static readonly Type[] s_pieces = [typeof(RaggedPiece), typeof(AlignedPiece)];
    private static readonly Type[] s_copies = [typeof(CopyWork<,>), typeof(FlatCopyWork<,>)];
    private static readonly Type[] s_moves = [typeof(MoveWork<>), typeof(FillWork<>)];
    private static readonly HashSet<(Type Sum, Type Pieces)> s_forward = NormSplits.All(GpuNorm.MostForward), s_backward = NormSplits.All(NormGroups.MostPieces);

    private readonly Type[] _types = formulas.GetTypes();

    public IReadOnlyList<Type> All()
        => [.. typeof(GpuBackend).Assembly.GetTypes().Where(t => t.IsValueType && Implements(t, typeof(IGpuWork<>))).SelectMany(Closed).OrderBy(WorkName.Of, StringComparer.Ordinal)];

    private IEnumerable<Type> Closed(Type work)
    {
        if (!work.IsGenericTypeDefinition)
        {
            return [work];
        }

        if (s_moves.Contains(work))
        {
            return s_elements.Append(typeof(int)).SelectMany(e => new[] { e, typeof(Vector4<>).MakeGenericType(e) }).Select(e => work.MakeGenericType(e));
        }

        IEnumerable<Type[]> arguments = [[]];
        foreach (Type parameter in work.GetGenericArguments())
        {
            arguments = [.. arguments.SelectMany(before => Candidates(parameter).Select(next => (Type[])[.. before, next]))];
        }

        return arguments.Where(a => s_copies.Contains(work) || HasOneType(a)).Where(a => IsSplit(work, a)).Select(a => work.MakeGenericType(a));
    }

    /// <summary>Whether some norm is shared out so: sums within warps come with any number of pieces, others with one.</summary>
    private static bool IsSplit(Type work, Type[] arguments)
    {
        Type? sum = arguments.FirstOrDefault(a => typeof(ILaneSum).IsAssignableFrom(a)), pieces = arguments.FirstOrDefault(a => Implements(a, typeof(IRegisterTile<>)));
        return sum is null || pieces is null
            || ((work == typeof(NormBackwardWork<,,,,>) ? s_backward : s_forward).Contains((sum, pieces)) && (!IsWide(pieces) || (!arguments.Contains(typeof(F32)) && arguments.Contains(typeof(AlignedPiece)))));
    }

    /// <summary>Whether pieces are of 16-bit elements, in whole rows.</summary>
    private static bool IsWide(Type pieces) => pieces == typeof(WidePieces) || pieces.GetGenericArguments().Any(IsWide);

    /// <summary>Elements are all of one type, but the last, a result's, may be single precision.</summary>
    private static bool HasOneType(Type[] arguments)
    {
        Type[] elements = [.. arguments.Where(s_elements.Contains)];
        return elements.Length < 2 || elements[^1] == elements[0] || elements[^1] == typeof(F32);
    }

    private Type[] Candidates(Type parameter)
    {
        Type[] constraints = parameter.GetGenericParameterConstraints();
        return constraints.Any(c => c.IsGenericType && c.GetGenericTypeDefinition() == typeof(IElement<>)) ? s_elements
            : constraints.Any(c => c.IsGenericType && c.GetGenericTypeDefinition() == typeof(IRegisterTile<>)) ? [.. s_forward.Select(s => s.Pieces).Distinct()]
            : constraints.Contains(typeof(IPiece)) ? s_pieces
            : constraints.Contains(typeof(ILaneSum)) ? [typeof(SharedSum), typeof(WarpSum)]
            : constraints.Contains(typeof(INormKind)) ? [typeof(RmsKind), typeof(LayerKind)]
            : constraints.Contains(typeof(IRecurrentCell)) ? [.. typeof(IRecurrentCell).Assembly.GetTypes().Where(t => t.IsValueType && typeof(IRecurrentCell).IsAssignableFrom(t))]
            : constraints.Contains(typeof(IPointwise)) ? [.. Formulas()]
            : constraints.Contains(typeof(IUpdateFormula)) ? [.. _types.Where(t => t.IsValueType && typeof(IUpdateFormula).IsAssignableFrom(t))]
            : throw new NotSupportedException($"{parameter.DeclaringType}: what is {parameter} run with?");
    }

    private IEnumerable<Type> Formulas() =>
    [
        typeof(Identity),
        .. Formulas(typeof(IUnaryOp), typeof(Unary<>)), .. Formulas(typeof(IBinaryOp), typeof(Binary<>)),
        .. Formulas(typeof(ITernaryOp), typeof(Ternary<>)), .. Formulas(typeof(IPairOp), typeof(Pair<>)),
    ];

    /// <summary>Formulas; one that is made of others, as of an activation, with each of these.</summary>
    private IEnumerable<Type> Formulas(Type formula, Type wrapper)
        => _types.Where(t => t.IsValueType && formula.IsAssignableFrom(t))
            .SelectMany(t => t.IsGenericTypeDefinition ? Parts(t).Select(part => t.MakeGenericType(part)) : [t])
            .Select(t => wrapper.MakeGenericType(t));

    private IEnumerable<Type> Parts(Type formula)
    {
        Type kind = formula.GetGenericArguments().Single().GetGenericParameterConstraints().Single(constraint => constraint.IsInterface);
        return _types.Where(t => t.IsValueType && !t.IsGenericType && kind.IsAssignableFrom(t));
    }

    private static bool Implements(Type type, Type definition) => type.GetInterfaces().Any(i => i.IsGenericType && i.GetGenericTypeDefinition() == definition);
}

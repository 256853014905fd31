using System.Reflection;
using NanoFold.Kernels;

namespace NanoFold.Tests.Suites;

/// <summary>The calls of fused kernels that there are.</summary>
internal static class KernelCalls
{
    private static readonly MethodInfo s_hasComposedPath = typeof(KernelCalls).GetMethod(nameof(HasComposedPath), BindingFlags.NonPublic | BindingFlags.Static)!;

    public static IReadOnlyList<Type> All { get; } = [.. typeof(Backend).Assembly.GetTypes().Where(IsCall)];

    /// <summary>Those whose ops also have a path of plain ops.</summary>
    public static IEnumerable<Type> WithComposedPath => All.Where(call => (bool)s_hasComposedPath.MakeGenericMethod(call).Invoke(null, null)!);

    private static bool HasComposedPath<TCall>()
        where TCall : struct, IKernelCall<TCall>
        => TCall.HasComposedPath;

    private static bool IsCall(Type type)
        => type.IsValueType && type.GetInterfaces().Any(i => i.IsGenericType && i.GetGenericTypeDefinition() == typeof(IKernelCall<>));
}

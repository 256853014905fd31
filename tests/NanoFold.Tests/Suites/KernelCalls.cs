using System.Reflection;
using NanoFold.Kernels;

namespace NanoFold.Tests.Suites;

/// <summary>The calls of fused kernels that there are; of a generic one each that can be made of a type of the same assembly.</summary>
internal static class KernelCalls
{
    private static readonly Type[] s_types = typeof(Backend).Assembly.GetTypes();

    private static readonly MethodInfo s_hasComposedPath = typeof(KernelCalls).GetMethod(nameof(HasComposedPath), BindingFlags.NonPublic | BindingFlags.Static)!;

    public static IReadOnlyList<Type> All { get; } = [.. s_types.Where(IsCall).SelectMany(Closed)];

    /// <summary>Those whose ops also have a path of plain ops.</summary>
    public static IEnumerable<Type> WithComposedPath => All.Where(call => (bool)s_hasComposedPath.MakeGenericMethod(call).Invoke(null, null)!);

    private static bool HasComposedPath<TCall>()
        where TCall : struct, IKernelCall<TCall>
        => TCall.HasComposedPath;

    private static bool IsCall(Type type)
        => type.IsValueType && type.GetInterfaces().Any(i => i.IsGenericType && i.GetGenericTypeDefinition() == typeof(IKernelCall<>));

    private static IEnumerable<Type> Closed(Type call)
    {
        if (!call.IsGenericTypeDefinition)
        {
            return [call];
        }

        // Of one parameter, a struct of some interfaces.
        Type[] constraints = call.GetGenericArguments().Single().GetGenericParameterConstraints();
        return s_types.Where(t => t is { IsValueType: true, IsGenericTypeDefinition: false } && constraints.All(c => c.IsAssignableFrom(t))).Select(t => call.MakeGenericType(t));
    }
}

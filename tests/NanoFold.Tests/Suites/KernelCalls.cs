using System.Reflection;
using NanoFold.Kernels;

namespace NanoFold.Tests.Suites;

/// <summary>The calls of fused kernels that there are; of a generic one each that can be made of a type of the same assembly.</summary>
internal static class KernelCalls
{
    private static readonly Type[] s_types = typeof(Backend).Assembly.GetTypes();

    public static IReadOnlyList<Type> All { get; } = [.. s_types.Where(IsCall).SelectMany(Closed)];

    public static string Name(Type call) => (string)Of(call, nameof(NameOf));

    public static bool HasComposedPath(Type call) => (bool)Of(call, nameof(HasComposedPathOf));

    private static object Of(Type call, string question)
        => typeof(KernelCalls).GetMethod(question, BindingFlags.NonPublic | BindingFlags.Static)!.MakeGenericMethod(call).Invoke(null, null)!;

    private static string NameOf<TCall>()
        where TCall : struct, IKernelCall<TCall>
        => TCall.Name;

    private static bool HasComposedPathOf<TCall>()
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

/// <summary>Calls of a backend's kernels without a place to keep them in.</summary>
internal static class KernelRun
{
    public static void Run<TCall>(this Backend backend, in TCall call)
        where TCall : struct, IKernelCall<TCall>
        => backend.Require<TCall>().Run(call);

    public static long ScratchBytes<TCall>(this Backend backend, in TCall shape)
        where TCall : struct, IKernelCall<TCall>
        => backend.Require<TCall>().ScratchBytes(shape);
}

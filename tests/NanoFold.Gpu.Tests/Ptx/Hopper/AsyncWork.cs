namespace NanoFold.Gpu.Tests.Ptx.Hopper;

/// <summary>A piece of work in the background, done once, after <paramref name="before"/>.</summary>
internal sealed class AsyncWork(string name, Action complete, AsyncWork? before = null)
{
    private AsyncWork? _before = before;

    public string Name { get; } = name;

    public bool IsDone { get; private set; }

    public void Complete()
    {
        if (IsDone)
        {
            return;
        }

        _before?.Complete();
        _before = null;
        IsDone = true;
        complete();
    }
}

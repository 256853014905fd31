using NanoFold.Engine.Configuration;
using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Geometry.Measures;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Training;
using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;
#if GPU
using NanoFold.Kernels.Gpu;
#endif
using Outside;

Kinds.Register<MixerConfig>("ema", typeof(EmaConfig));
Kinds.Register<FeedForwardConfig>("centered", typeof(CenteredConfig));
Kinds.Register<Measure>("crest", typeof(CrestMeasure));
Kinds.Register<EditConfig>("dampen", typeof(DampenConfig));
Kinds.Register<OptimizerConfig>("soft-sign", typeof(SoftSignConfig));
Kinds.Register<TaskConfig>("echo", typeof(EchoConfig));
KernelTable.Register<CpuBackend>(backend => new CpuCenter(backend.Context));
#if GPU
KernelTable.Register<GpuBackend>(backend => new GpuCenter(backend.Context));
#endif

// With these this program is nanofold: every verb, every option.
return args is ["check"] ? Check.Run() : NanoFold.Cli.Program.Main(args);

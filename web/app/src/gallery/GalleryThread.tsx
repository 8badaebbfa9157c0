import ThreadPanel from '../chat/ThreadPanel.tsx'
import type { PanelProps } from '../module.ts'
import { useShell } from '../shell/context.ts'
import { Conversation, conversation } from './messages.tsx'

/** GalleryThread is a thread of the conversation. */
export default function GalleryThread(props: PanelProps<{ readonly channel: string; readonly root: string }>) {
  const shell = useShell()
  return <ThreadPanel {...props} list={<Conversation messages={conversation.slice(0, 3)} divided={false} shell={shell} />} />
}
